/**
 * A language model's `config.json` as Hugging Face writes it, in one shape for all families. Loads nothing native.
 *
 * Both styles of rotary settings are read: `rope_parameters` (transformers 5) and `rope_theta` with `rope_scaling`.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { familyOf, type FamilyName } from './families.js';
import { JsonFields } from './json-fields.js';
import type { RopeConfig } from './rope-config.js';

/** Non-linearities, by what they compute: transformers has several names for some. */
export type Activation = 'silu' | 'gelu' | 'gelu_tanh' | 'relu';

/** What a block does with the residual stream, so far as the files say it; weights' own shapes are checked on loading. */
export interface ModelConfig {
  /** Folder of the model. */
  path: string;
  family: FamilyName;
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
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `model-invalid`, `model-unsupported`.
 */
export async function readModelConfig(path: string): Promise<ModelConfig> {
  const file = join(path, 'config.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (thrown) {
    throw asSaeEvalError(thrown, `The language model ${path}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (thrown) {
    throw new SaeEvalError('model-invalid', `${file}: expected JSON, found something else (${thrown instanceof Error ? thrown.message : String(thrown)}).`);
  }
  const fields = JsonFields.from(json, file);
  return { path, ...familyOf(fields).read(fields) };
}
