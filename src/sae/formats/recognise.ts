/**
 * Published SAE formats, recognised by what lies in the folder and in the files, never by a file's
 * name alone.
 */
import { statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { readCheckpoint, type Checkpoint } from '../../checkpoint/read.js';
import { describeCrosscoder } from './crosscoder.js';
import type { GivenSettings, PublishedDescription } from '../description.js';
import { describeDictionaryLearning, dictionaryLearningConfig } from './dictionary-learning.js';
import { describeGemmaScope } from './gemma-scope.js';
import { describeLlamaScope } from './llama-scope.js';
import { describeMlsae } from './mlsae.js';
import { describeOpenAi, looksLikeOpenAi } from './openai.js';
import { describeOpenMoss } from './openmoss.js';
import { describeWithSettings, isSettings, settingsPath } from './routesae.js';
import { describeSaelens } from './saelens.js';
import { describeSparsify } from './sparsify.js';

export { saeSources } from '../description.js';
export type {
  Activation,
  CrosscoderDescription,
  DecoderNorm,
  GivenSettings,
  Normalization,
  PublishedDescription,
  SaeDescription,
  SaeSource,
  Threshold,
  Weight,
} from '../description.js';

const isFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/**
 * Weight files and the configuration that must lie with them, seen from the folder of the weights.
 */
const pairs: readonly {
  weights: string;
  config: string;
  describe: (
    configPath: string,
    checkpoint: Checkpoint,
    given: GivenSettings,
  ) => PublishedDescription;
}[] = [
  { weights: 'sae_weights.safetensors', config: 'cfg.json', describe: describeSaelens },
  { weights: 'sae_weights.safetensors', config: 'config.json', describe: describeOpenMoss },
  { weights: 'sae_weights.pt', config: 'config.json', describe: describeOpenMoss },
  { weights: 'sae.safetensors', config: 'cfg.json', describe: describeSparsify },
  { weights: 'ae.pt', config: 'config.json', describe: describeDictionaryLearning },
  { weights: 'model.safetensors', config: 'config.json', describe: describeMlsae },
  { weights: 'cc_weights.pt', config: 'cfg.json', describe: describeCrosscoder },
  {
    weights: join('checkpoints', 'final.safetensors'),
    config: 'hyperparams.json',
    describe: describeLlamaScope,
  },
];

/** The configurations that stand for their folder when they are named themselves. */
const configNames = new Set(pairs.map(({ config }) => config));

/**
 * What a path leads to: a published SAE, or a file in none of the published formats with what was
 * read of it.
 */
export type Recognised =
  { published: PublishedDescription } | { published: null; checkpoint: Checkpoint };

/**
 * What a folder or file is, from configurations and headers alone; nothing native is loaded.
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`, `sae-option` where a setting
 *   must be given.
 */
export async function recognise(path: string, given: GivenSettings = {}): Promise<Recognised> {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (error) {
    throw asSaeEvalError(error, path);
  }
  if (!folder && configNames.has(basename(path))) return recognise(dirname(path), given);
  for (const { weights, config, describe } of pairs) {
    const base = folder ? path : weights.includes('final') ? dirname(dirname(path)) : dirname(path);
    const weightsPath = join(base, weights);
    if (!folder && join(path) !== weightsPath) continue;
    if (isFile(weightsPath) && isFile(join(base, config)))
      return { published: describe(join(base, config), await readCheckpoint(weightsPath), given) };
  }
  const file = folder ? join(path, 'params.npz') : path;
  if (folder && !isFile(file)) {
    throw new SaeEvalError(
      'checkpoint-format',
      `${path}: expected a folder with one of ` +
        `${pairs.map(({ weights, config }) => `${config} and ${weights}`).join('; ')}; or ` +
        'params.npz.',
    );
  }
  const checkpoint = await readCheckpoint(file);
  if (checkpoint.format === 'npz') return { published: describeGemmaScope(checkpoint, given) };
  const backup = /^ae_\w+\.pt$/.test(basename(file))
    ? dictionaryLearningConfig(resolve(file))
    : null;
  if (backup !== null) return { published: describeDictionaryLearning(backup, checkpoint, given) };
  const settings = settingsPath(file);
  if (isFile(settings) && isSettings(settings))
    return { published: describeWithSettings(settings, checkpoint, given) };
  return looksLikeOpenAi(checkpoint)
    ? { published: describeOpenAi(checkpoint, given) }
    : { published: null, checkpoint };
}

/**
 * The description of a published SAE; null for a file in none of the formats (a bare state dict of
 * the RouteSAE family, for example).
 */
export async function describePublished(
  path: string,
  given: GivenSettings = {},
): Promise<PublishedDescription | null> {
  return (await recognise(path, given)).published;
}
