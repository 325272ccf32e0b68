/**
 * A language model's `config.json` as Hugging Face writes it, in one shape for all families. Loads
 * nothing native.
 *
 * Both styles of rotary settings are read: `rope_parameters` (transformers 5) and `rope_theta` with
 * `rope_scaling`.
 */
import { join } from 'node:path';
import { SaeEvalError } from '../errors.js';
import { familyOf, type FamilyName } from './families.js';
import { locateModel } from './locate-model.js';
import { readJsonFile } from './json-file.js';
import type { RopeConfig } from './rope-config.js';
import { readScriptManifest } from './script-manifest.js';

/** Non-linearities, by what they compute: transformers has several names for some. */
export type Activation =
  | 'silu'
  | 'gelu'
  | 'gelu_tanh'
  | 'gelu_10'
  | 'quick_gelu'
  | 'relu'
  | 'relu2'
  | 'relu6'
  | 'leaky_relu'
  | 'mish'
  | 'hardswish'
  | 'tanh'
  | 'sigmoid'
  | 'linear';

/**
 * What a block does with the residual stream, so far as the files say it; weights' own shapes are
 * checked on loading.
 */
export interface ModelConfig {
  /** Folder of the model. */
  path: string;
  family: FamilyName | 'torchscript';
  /**
   * Of a model exported as TorchScript: the file beside the manifest, and how many parameters that
   * says it has.
   */
  script?: { program: string; parameters: number };
  /** Blocks, L. */
  layers: number;
  /** Of the residual stream, d. */
  width: number;
  vocabulary: number;
  /** Longest sequence. */
  maxPositions: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
  mlpWidth: number;
  normEps: number;
  activation: Activation;
  /** The head is the embedding's transpose. */
  tiedHead: boolean;
  attentionBias: boolean;
  mlpBias: boolean;
  /** Of each block: how many keys a query sees, itself included; null is all before it. */
  windows: readonly (number | null)[];
  /** Of each block; null where positions are learned. */
  ropes: readonly (RopeConfig | null)[];
  /** Of each block: what q·k is multiplied with. */
  attentionScale: readonly number[];
  /** `cap · tanh(x / cap)` of attention scores. */
  attentionSoftcap: number | null;
  /** The same of logits. */
  logitSoftcap: number | null;
  /** Attention and MLP both read the block's input. */
  parallelResidual: boolean;
}

/**
 * Reads a model folder's `config.json`.
 * @param path the folder, or the name of a model in the local Hugging Face cache.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `model-invalid`, `model-unsupported`.
 */
export async function readModelConfig(path: string): Promise<ModelConfig> {
  const folder = await locateModel(path);
  const exported = await readScriptManifest(folder);
  if (exported !== null) return exported;
  const fields = await readJsonFile(join(folder, 'config.json'), { code: 'model-invalid' });
  if (fields === null)
    throw new SaeEvalError(
      'file-not-found',
      `${path}: expected the folder of a language model, found no config.json in it, nor ` +
        'the manifest.json of a TorchScript export.',
    );
  return { path: folder, ...familyOf(fields).read(fields) };
}
