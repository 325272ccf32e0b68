/**
 * mlsae (github.com/tim-lawson/mlsae): `config.json` and `model.safetensors` of Hugging Face's
 * model mixin; one SAE for all layers.
 */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readConfig } from '../../checkpoint/json-file.js';
import {
  givenScale,
  needK,
  scaleOf,
  refuseScale,
  Tensors,
  type GivenSettings,
  type SaeDescription,
} from '../description.js';

const schema = z.looseObject({
  // Of repositories with the language model beside it, the configuration is that model's and may
  // lack these.
  n_inputs: z.int().positive().nullish(),
  n_latents: z.int().positive().nullish(),
  k: z.int().positive(),
  standardize: z.boolean().default(true),
  lens: z.boolean().default(false),
});

/** @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeMlsae(
  configPath: string,
  checkpoint: Checkpoint,
  given: GivenSettings,
): SaeDescription {
  const { k, standardize, lens, ...config } = readConfig(configPath, schema);
  const tensors = new Tensors(checkpoint);
  const prefix = tensors.has('autoencoder.encoder.weight') ? 'autoencoder.' : '';
  const [mStored, dStored] = tensors.matrix(`${prefix}encoder.weight`, '[n_latents, n_inputs]');
  const d = config.n_inputs ?? dStored;
  const m = config.n_latents ?? mStored;
  if (lens || tensors.has(`${prefix}encoder_lens.0.weight`))
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: an mlsae with a transform for each layer (lens) is not supported.`,
    );
  const scale = givenScale(given, configPath);
  if (standardize)
    refuseScale(given, configPath, 'its input is standardized, which needs no scale');
  return {
    form: 'sae',
    source: 'mlsae',
    checkpoint,
    configPath,
    d,
    m,
    encoder: tensors.weight(`${prefix}encoder.weight`, [m, d], 'transposed'),
    decoder: tensors.weight(`${prefix}decoder.weight`, [d, m], 'transposed'),
    encoderBias: null,
    decoderBias: tensors.vector(`${prefix}pre_encoder_bias`, [d]),
    subtractDecoderBias: true,
    glu: null,
    centred: given.centred === true,
    activation: { kind: 'topk', k: needK(given, k, m, configPath, 'its config.json') },
    decoderNorm: 'none',
    normalization: standardize
      ? { kind: 'layer-norm', epsilon: 1e-5 }
      : scale === undefined
        ? { kind: 'none' }
        : scaleOf(scale, configPath),
    hookPoint: null,
    hookPointFrom: 'config',
    notes: [],
  };
}
