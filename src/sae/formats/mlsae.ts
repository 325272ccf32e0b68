/**
 * mlsae (github.com/tim-lawson/mlsae): `config.json` and `model.safetensors` of Hugging Face's
 * model mixin; one SAE for all layers.
 */
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { exclusionOf } from './positions.js';
import { Tensors } from './tensors.js';
import { all, Refused, type Vocabulary } from './vocabulary.js';

const schema = z.looseObject({
  // A repository that also holds the language model has that model's configuration, which may lack
  // the sizes.
  n_inputs: z.int().positive().nullish(),
  n_latents: z.int().positive().nullish(),
  k: z.int().positive(),
  standardize: z.boolean().default(true),
  lens: z.boolean().default(false),
  skip_special_tokens: z.boolean().nullish(),
});

const weights = ['encoder.weight', 'decoder.weight', 'pre_encoder_bias'];

const vocabulary: Vocabulary = {
  keys: {
    ...all('honored', 'n_inputs', 'n_latents', 'k', 'standardize', 'lens', 'skip_special_tokens'),
    ...all('harmless', 'expansion_factor', 'auxk', 'auxk_coef', 'dead_steps_threshold'),
    ...all('harmless', 'dead_tokens_threshold', 'dead_threshold', 'lr', 'model_name'),
    ...all('harmless', 'max_length', 'batch_size', 'accumulate_grad_batches', 'num_batches'),
    tuned_lens: new Refused('residual streams that a tuned lens transforms before the encoder'),
  },
  tensors: {
    ...all('honored', ...weights, ...weights.map((name) => `autoencoder.${name}`)),
    ...all('harmless', 'last_nonzero', 'autoencoder.last_nonzero'),
    'encoder_lens.*': new Refused('a transform for each layer'),
    'autoencoder.encoder_lens.*': new Refused('a transform for each layer'),
    // A repository that also holds the language model.
    ...all('harmless', 'transformer.*', 'model.*', 'loss_true', 'loss_pred', 'logits_true'),
    ...all('harmless', 'logits_pred'),
  },
};

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const { k: saved, standardize, lens, ...config } = readConfig(configPath!, schema);
  const tensors = new Tensors(checkpoint);
  const prefix = tensors.has('autoencoder.encoder.weight') ? 'autoencoder.' : '';
  if (lens || tensors.has(`${prefix}encoder_lens.0.weight`))
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: an mlsae with a transform for each layer (lens) is not supported.`,
    );
  const [mStored, dStored] = tensors.matrix(`${prefix}encoder.weight`, '[n_latents, n_inputs]');
  const d = config.n_inputs ?? dStored;
  const m = config.n_latents ?? mStored;
  if (standardize) given.refuse('scale', 'its input is standardized, which needs no scale');
  return {
    form: 'dictionary',
    kinds: ['MLSAE', 'TopK', 'RandomK'],
    d,
    m,
    place: { over: 'hook point', named: null, from: 'config' },
    encoder: tensors.weight(`${prefix}encoder.weight`, [m, d], 'transposed'),
    decoder: tensors.weight(`${prefix}decoder.weight`, [d, m], 'transposed'),
    encoderBias: null,
    decoderBias: tensors.vector(`${prefix}pre_encoder_bias`, [d]),
    subtractDecoderBias: true,
    glu: null,
    centered: given.centered(),
    activation: { kind: 'topk', k: given.k({ saved, m, where: 'config.json' }) },
    decoderNorm: 'none',
    normalization: standardize
      ? { kind: 'layer-norm', epsilon: 1e-5 }
      : given.optionalScale({ kind: 'none' }),
    ...exclusionOf(config.skip_special_tokens),
    notes: [],
  };
}

export const mlsae: Format = {
  name: 'mlsae',
  folder: { weights: ['model.safetensors'], config: 'config.json' },
  vocabulary,
  describe,
};
