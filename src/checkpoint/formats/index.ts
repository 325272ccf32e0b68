/** Published SAE formats, recognised by what lies in the folder and in the files, never by a file's name alone. */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { readCheckpoint } from '../read.js';
import type { GivenSettings, SaeDescription } from './description.js';
import { describeDictionaryLearning } from './dictionary-learning.js';
import { describeGemmaScope } from './gemma-scope.js';
import { describeLlamaScope } from './llama-scope.js';
import { describeMlsae } from './mlsae.js';
import { describeOpenAi, looksLikeOpenAi } from './openai.js';
import { describeOpenMoss } from './openmoss.js';
import { describeSaelens } from './saelens.js';
import { describeSparsify } from './sparsify.js';

export type { Activation, GivenSettings, Normalization, SaeDescription, SaeSource, Weight } from './description.js';

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** Weight files and the configuration that must lie with them, seen from the folder of the weights. */
const pairs = [
  { weights: 'sae_weights.safetensors', config: 'cfg.json', describe: describeSaelens },
  { weights: 'sae_weights.safetensors', config: 'config.json', describe: describeOpenMoss },
  { weights: 'sae.safetensors', config: 'cfg.json', describe: describeSparsify },
  { weights: 'ae.pt', config: 'config.json', describe: describeDictionaryLearning },
  { weights: 'model.safetensors', config: 'config.json', describe: describeMlsae },
  { weights: join('checkpoints', 'final.safetensors'), config: 'hyperparams.json', describe: describeLlamaScope },
] as const;

/**
 * What a folder or file is, from configurations and headers alone; nothing native is loaded. Null where it is in none of the
 * published formats (it may still be a bare state dict of the RouteSAE family).
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`, `sae-option` where a setting must be given.
 */
export async function describePublished(path: string, given: GivenSettings = {}): Promise<SaeDescription | null> {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (error) {
    throw asSaeEvalError(error, path);
  }
  for (const { weights, config, describe } of pairs) {
    const base = folder ? path : weights.includes('final') ? dirname(dirname(path)) : dirname(path);
    const weightsPath = join(base, weights);
    if (!folder && join(path) !== weightsPath) continue;
    if (isFile(weightsPath) && isFile(join(base, config))) return describe(join(base, config), await readCheckpoint(weightsPath), given);
  }
  const file = folder ? join(path, 'params.npz') : path;
  if (!isFile(file)) {
    throw new SaeEvalError('checkpoint-format', `${path}: expected a folder with one of ${pairs.map(({ weights, config }) => `${config} and ${weights}`).join('; ')}; or params.npz.`);
  }
  const checkpoint = await readCheckpoint(file);
  if (checkpoint.format === 'npz') return describeGemmaScope(checkpoint, given);
  return looksLikeOpenAi(checkpoint) ? describeOpenAi(checkpoint, given) : null;
}
