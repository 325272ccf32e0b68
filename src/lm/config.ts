/**
 * Configuration of a language model, read from the `config.json` that Hugging Face writes, in one
 * shape for all families.
 */
import { join } from 'node:path';
import type { Bilingual } from '../schema/index.js';
import { SaeEvalError } from '../errors.js';
import type { MlpActivation } from './activation.js';
import { checkConfigKeys } from './config-keys.js';
import { familyOf, type FoundFamily } from './families/index.js';
import type { FamilySettings } from './family-settings.js';
import { locateModel } from '../hub-cache.js';
import { JsonFields } from './json-fields.js';
import type { RopeConfig } from './rope-config.js';
import { multimodalKeys } from './multimodal.js';
import { readScriptManifest } from './script-manifest.js';

/** Sizes and settings of a language model. Lists have one entry for each block, block 1 first. */
export interface ModelConfig extends FamilySettings {
  /** Folder of the model. */
  path: string;
  /** Name of the family, or `torchscript` for a TorchScript export. */
  family: string;
  /** Program of a TorchScript export: its file beside the manifest, and its parameter count. */
  script?: { program: string; parameters: number };
  /** Remarks on `config.json` that belong into a result. */
  notes: readonly Bilingual[];
  /** Number of blocks, L. */
  layers: number;
  /** Width of the residual stream, d. */
  width: number;
  /** Number of tokens that the model knows, V. */
  vocabulary: number;
  /** Length of the longest sequence, in tokens. */
  maxPositions: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
  mlpWidth: number;
  /** Epsilon of the norms. */
  normEps: number;
  activation: MlpActivation;
  /** Whether the head is the embedding's transpose. */
  tiedHead: boolean;
  attentionBias: boolean;
  mlpBias: boolean;
  /** Number of keys that a query sees, itself included; null for all keys before it. */
  windows: readonly (number | null)[];
  /** Rotary settings; null if positions are learned. */
  ropes: readonly (RopeConfig | null)[];
  /** Factor on q·k. */
  attentionScale: readonly number[];
  /** Cap of the attention scores, which become `cap · tanh(score / cap)`; null for none. */
  attentionSoftcap: number | null;
  /** Cap of the logits, applied in the same way; null for none. */
  logitSoftcap: number | null;
  /** Factor on the embeddings; null for none. */
  embeddingScale: number | null;
  /** Factor on what attention and MLP add to the residual stream. */
  residualScale: number;
  /** Factor on the logits, before a cap; null for none. */
  logitScale: number | null;
  /** Whether attention and MLP both read the block's input. */
  parallelResidual: boolean;
}

/** Notes about keys of the file that are not used. */
function checkKeys(
  { family: { keys }, text, multimodal }: FoundFamily,
  file: JsonFields,
): Bilingual[] {
  if (!multimodal) return checkConfigKeys(file, keys);
  if (file.has('text_config'))
    return [...checkConfigKeys(text, keys), ...checkConfigKeys(file, multimodalKeys)];
  return checkConfigKeys(text, {
    ...keys,
    idle: [...(keys.idle ?? []), ...(multimodalKeys.idle ?? [])],
  });
}

export interface ReadModelOptions {
  /** Whether a model may be a TorchScript program, which is code of its author; default false. */
  allowProgram?: boolean;
  /** The path as the user wrote it, for messages; default `path`. */
  name?: string;
}

/** Why a TorchScript export is not read as one. */
function programRefused(name: string): string {
  return (
    `${name}: its manifest.json describes a TorchScript program, which is code of its author ` +
    'and would run with your rights. It runs only where that is allowed: with --allow-program on ' +
    'the command line, allowProgram in TypeScript, SAE_EVAL_TORCHSCRIPT=1 for a server.'
  );
}

/**
 * Reads the configuration of a model. A folder may hold a TorchScript export beside an ordinary
 * `config.json`: the export counts only if programs are allowed.
 * @param path the folder, or the name of a model in the local Hugging Face cache.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `model-invalid`, `model-unsupported`.
 */
export async function readModelConfig(
  path: string,
  { allowProgram = false, name = path }: ReadModelOptions = {},
): Promise<ModelConfig> {
  const folder = locateModel(path);
  const exported = readScriptManifest(folder);
  if (exported !== null && allowProgram) return exported;
  const fields = JsonFields.read(join(folder, 'config.json'), { code: 'model-invalid' });
  if (fields === null && exported !== null)
    throw new SaeEvalError('model-unsupported', programRefused(name));
  if (fields === null)
    throw new SaeEvalError(
      'file-not-found',
      `${path}: expected the folder of a language model, found no config.json in it, nor ` +
        'the manifest.json of a TorchScript export.',
    );
  try {
    const found = familyOf(fields);
    const config = found.family.readConfig(found.text);
    return { path: folder, family: found.family.name, notes: checkKeys(found, fields), ...config };
  } catch (thrown) {
    if (exported === null || !(thrown instanceof SaeEvalError)) throw thrown;
    // The export is what the folder is for.
    throw new SaeEvalError(thrown.code, `${thrown.message} ${programRefused(name)}`, {
      cause: thrown,
    });
  }
}
