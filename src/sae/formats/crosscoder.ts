/**
 * Crosscoders between models (github.com/ckkissane/crosscoder-model-diff-replication): `cfg.json`
 * and `cc_weights.pt`, one hook point in n models. Their inputs were scaled to an average norm of
 * √d for each model, by factors that were not saved.
 */
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, type Vocabulary } from './vocabulary.js';

const schema = z.looseObject({
  dict_size: z.int().positive(),
  d_in: z.int().positive(),
  hook_point: z.string().optional(),
});

const vocabulary: Vocabulary = {
  keys: {
    ...all('honored', 'dict_size', 'd_in', 'hook_point'),
    ...all('harmless', 'enc_dtype', 'site', 'model_name', 'device', 'seed', 'seq_len'),
    ...all('harmless', 'batch_size', 'model_batch_size', 'buffer_mult', 'num_tokens', 'lr'),
    ...all('harmless', 'l1_coeff', 'beta1', 'beta2', 'dec_init_norm', 'log_every', 'save_every'),
    ...all('harmless', 'wandb_project', 'wandb_entity'),
  },
  tensors: all('honored', 'W_enc', 'W_dec', 'b_enc', 'b_dec'),
};

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const { dict_size: m, d_in: d } = readConfig(configPath!, schema);
  const tensors = new Tensors(checkpoint);
  const shape = tensors.shape('W_enc');
  const n = shape[0] ?? 0;
  if (shape.length !== 3 || n === 0)
    throw new SaeEvalError(
      'checkpoint-shape',
      `${checkpoint.path}: expected 'W_enc' of shape [n, ${d}, ${m}] for n models, found ` +
        `[${shape.join(', ')}].`,
    );
  const models = given.perSite(n, 'model');
  const normalizations = models.map((model) =>
    model.neededScale(
      'The factors by which the models’ activations were scaled were not saved (√d / the mean of ' +
        `their norms): expected a list of ${n} numbers, one for each model.`,
    ),
  );
  given.takeOver(models);
  return {
    form: 'crosscoder',
    d,
    m,
    sites: n,
    place: { over: 'models', count: n },
    encoder: { tensor: tensors.vector('W_enc', [n, d, m]), sitesAt: 0 },
    decoder: { tensor: tensors.vector('W_dec', [m, n, d]), sitesAt: 1 },
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [n, d]),
    activation: { kind: 'relu' },
    decoderNorm: 'none',
    normalizations,
    notes: [],
  };
}

export const crosscoder: Format = {
  name: 'crosscoder',
  folder: { weights: ['cc_weights.pt'], config: 'cfg.json' },
  vocabulary,
  describe,
};
