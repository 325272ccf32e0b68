/**
 * Temporal SAEs as their authors published them (2025, Gemma 2 and others): `conf.yaml` and
 * `latest_ckpt.safetensors` in folders such as `layer_12/temporal`. `D` is the decoder, `E` the
 * encoder unless it is the decoder, `b` the bias; the input is multiplied by `sae.scaling_factor`.
 * SAELens calls this layout `temporal`.
 */
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Checkpoint } from '../../checkpoint/read.js';
import { SaeEvalError } from '../../errors.js';
import { isFile } from '../../files/index.js';
import type { GivenSettings } from '../given.js';
import { readAnyConfig } from './any-config.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { temporalParts, temporalWords } from './temporal-parts.js';
import { Tensors } from './tensors.js';
import { all, type Vocabulary } from './vocabulary.js';

const size = z.int().positive();
const schema = z.looseObject({
  llm: z.looseObject({ dimin: size }),
  sae: z.looseObject({
    ...temporalWords,
    exp_factor: z.number().positive(),
    scaling_factor: z.number().positive(),
  }),
});

/** Names of its configuration: the published one first. */
const configNames = ['conf.yaml', 'config.yaml', 'conf.json', 'config.json'];

const vocabulary: Vocabulary = {
  keys: {
    llm: {
      dimin: 'honored',
      ...all('harmless', 'name', 'model_name', 'hf_name', 'model_hf_name', 'llm_name', 'layer'),
      ...all('harmless', 'layer_idx', 'hidden_size', 'dtype', 'revision', 'batch_size'),
    },
    sae: {
      ...all('honored', ...Object.keys(temporalWords), 'exp_factor', 'scaling_factor'),
      ...all('harmless', 'sae_type', 'gamma_reg', 'name'),
    },
    // Keys of training: the data, and how.
    ...all('harmless', 'data', 'train', 'training', 'optimizer', 'optim', 'scheduler', 'log'),
    ...all('harmless', 'logging', 'wandb', 'deploy', 'seed', 'epochs', 'tag', 'device', 'eval'),
    ...all('harmless', 'defaults', 'hydra', 'loader', 'run_name', 'save', 'paths', 'env'),
  },
  tensors: { ...all('honored', 'D', 'E', 'b'), 'attn_layers.*': 'honored' },
};

/** Its configuration beside the weights, or null. */
function configBeside(path: string): string | null {
  const folder = dirname(resolve(path));
  return configNames.map((name) => join(folder, name)).find(isFile) ?? null;
}

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  if (configPath === null)
    throw new SaeEvalError(
      'checkpoint-format',
      `${checkpoint.path}: these are the tensors of a Temporal SAE; ${configNames[0]}, which ` +
        'says how they are used, is missing beside them.',
    );
  const { llm, sae } = readAnyConfig(configPath, schema);
  const tensors = new Tensors(checkpoint);
  const [d, m] = [llm.dimin, Math.trunc(llm.dimin * sae.exp_factor)];
  const names = { encoder: 'E', decoder: 'D', bias: 'b' };
  const block = /(?:^|[/\\])layer_(\d{1,4})(?=[/\\])/.exec(resolve(checkpoint.path))?.[1];
  return {
    ...temporalParts({ tensors, given, file: configPath }, { d, m }, sae, names),
    place: {
      over: 'hook point',
      named: block === undefined ? null : `blocks.${block}.hook_resid_post`,
      from: 'path',
    },
    subtractDecoderBias: true,
    centered: given.centered(),
    normalization: given.optionalScale({ kind: 'scale', factor: sae.scaling_factor }),
    notes: [],
  };
}

const takes = ({ entries }: Checkpoint): boolean =>
  entries.has('D') && entries.has('b') && entries.has('attn_layers.0.k_ctx.weight');

export const temporal: Format = {
  name: 'temporal',
  folder: { weights: ['latest_ckpt.safetensors', 'latest_ckpt.pt'], config: 'conf.yaml' },
  vocabulary,
  file: (checkpoint) =>
    takes(checkpoint) ? { checkpoint, configPath: configBeside(checkpoint.path) } : null,
  describe,
};
