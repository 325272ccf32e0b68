/** Interface of a family of language models. Each family is one file in `families/`. */
import type { Builder } from './builder.js';
import type { ConfigKeys } from './config-keys.js';
import type { ModelConfig } from './config.js';
import type { BlockSite } from './hook-names.js';
import type { Transformer } from './transformer.js';
import type { JsonFields } from './json-fields.js';

/** Configuration of a model, without the facts that do not come from its `config.json`. */
export type FamilyConfig = Omit<ModelConfig, 'path' | 'family' | 'notes'>;

export interface Family {
  /** Name of the family in results, errors and documentation. */
  readonly name: string;
  /** Values of `model_type` in `config.json`. */
  readonly modelTypes: readonly string[];
  /** Published models of the family, for the table in docs/reference/models.md. */
  readonly models: string;
  /** Features of the architecture that the family supports, for the same table. */
  readonly features: string;
  /** Prefixes that the names of the weights may have. Files of the bare transformer have none. */
  readonly prefixes: readonly string[];
  /**
   * Whether the outputs of attention and MLP pass through a norm before they are added to the
   * residual stream. The output of such a module is not the sum's term.
   */
  readonly normsAfter: boolean;
  /** Sites that its blocks do not have, beside `resid_mid` of parallel blocks. Default none. */
  readonly lacks?: readonly BlockSite[];
  /** Names of these norms, if they are not those of Gemma 2. */
  readonly normNames?: readonly string[];
  /** Whether the outputs of attention and MLP are multiplied before they are added. */
  readonly termsScaled?: true;
  /**
   * Whether TransformerLens centers the weights that write to the residual stream
   * (`center_writing_weights`). It does so if the norms subtract the mean.
   */
  readonly centeredByTransformerLens: boolean;
  /**
   * Methods of quantization (`quant_method`) whose weights are widened on loading. Default none.
   */
  readonly quantizations?: readonly string[];
  /** What the keys of `config.json` are taken for. */
  readonly keys: ConfigKeys;
  /**
   * Reads `config.json`, or the text model's section of it. @throws SaeEvalError `model-invalid`,
   * `model-unsupported`.
   */
  readonly readConfig: (fields: JsonFields) => FamilyConfig;
  /** Builds the model from its weights. @throws SaeEvalError `checkpoint-*`. */
  readonly create: (build: Builder) => Transformer;
}
