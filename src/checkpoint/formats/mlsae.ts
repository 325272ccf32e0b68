/** mlsae (github.com/tim-lawson/mlsae): `config.json` and `model.safetensors`; one SAE for all layers. */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../read.js';
import { readConfig } from './config-file.js';
import { Tensors, type GivenSettings, type SaeDescription } from './description.js';

const schema = z.looseObject({ n_inputs: z.int().positive(), n_latents: z.int().positive(), k: z.int().positive(), standardize: z.boolean().default(false) });

/** @throws SaeEvalError `checkpoint-*`, `sae-option`. */
export function describeMlsae(configPath: string, checkpoint: Checkpoint, given: GivenSettings): SaeDescription {
  const { n_inputs: d, n_latents: m, k: saved, standardize } = readConfig(configPath, schema);
  const k = given.k ?? saved;
  if (k > m) throw new SaeEvalError('sae-option', `${configPath}: expected k of 1…${m}, found ${k}.`, { fields: [{ path: 'k', message: `expected 1…${m}` }] });
  const tensors = new Tensors(checkpoint);
  const prefix = tensors.has('autoencoder.encoder.weight') ? 'autoencoder.' : '';
  return {
    source: 'mlsae', checkpoint, d, m,
    encoder: tensors.weight(`${prefix}encoder.weight`, [m, d], 'transposed'),
    decoder: tensors.weight(`${prefix}decoder.weight`, [d, m], 'transposed'),
    encoderBias: null,
    decoderBias: tensors.vector(`${prefix}pre_encoder_bias`, [d]),
    subtractDecoderBias: true,
    activation: { kind: 'topk', k },
    decoderNorm: 'none', skip: null,
    normalization: standardize ? { kind: 'layer-norm', epsilon: 1e-5 } : { kind: 'none' },
    hookPoint: null, layer: given.layer ?? null,
    notes: ['The layout of these files was not checked against a published one.'],
  };
}
