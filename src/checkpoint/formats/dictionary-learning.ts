/** dictionary_learning (github.com/saprmarks/dictionary_learning): `ae.pt` and `config.json` with `trainer.dict_class`. */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../read.js';
import { readConfig } from './config-file.js';
import { needScale, residualLayer, Tensors, type Activation, type GivenSettings, type Normalization, type SaeDescription } from './description.js';

const size = z.int().positive();
const schema = z.looseObject({
  trainer: z.looseObject({
    dict_class: z.string(),
    activation_dim: size,
    dict_size: size,
    k: size.nullish(),
    layer: z.int().nonnegative().nullish(),
    submodule_name: z.string().nullish(),
  }),
});

/** A backup taken while training nests the SAE beside `norm_factor`, by which its input was divided. */
function normalizationOf(checkpoint: Checkpoint, given: GivenSettings): Normalization {
  const factor = checkpoint.values.get('norm_factor');
  if (given.scale !== undefined) return needScale(given, checkpoint.path, '');
  if (typeof factor === 'number' && factor > 0) return { kind: 'scale', factor: 1 / factor };
  if (checkpoint.prefix.startsWith('ae.') && factor !== null) return needScale(given, checkpoint.path, 'a backup of a training run without a norm_factor that can be read.');
  return { kind: 'none' };
}

/** @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeDictionaryLearning(configPath: string, checkpoint: Checkpoint, given: GivenSettings): SaeDescription {
  const { trainer } = readConfig(configPath, schema);
  const { dict_class: dictClass, activation_dim: d, dict_size: m } = trainer;
  const tensors = new Tensors(checkpoint);
  const hookPoint = trainer.submodule_name ?? (trainer.layer === undefined || trainer.layer === null ? null : `resid_post_layer_${trainer.layer}`);
  const linear = () => ({
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
  });
  const matrices = () => ({
    encoder: tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
  });
  const batchThreshold = (): Activation => ({ kind: 'jumprelu', threshold: { tensor: tensors.vector('threshold', [], [1]), log: false } });
  const common = {
    source: 'dictionary_learning' as const, checkpoint, d, m, hookPoint, skip: null, decoderNorm: 'none' as const, notes: [] as string[],
    normalization: normalizationOf(checkpoint, given), layer: given.layer ?? residualLayer(hookPoint),
  };
  const unset = ['A threshold below 0 means that training never set it; such a file cannot be evaluated.'];
  switch (dictClass) {
    case 'AutoEncoder':
      return { ...common, ...linear(), encoderBias: tensors.vector('encoder.bias', [m]), decoderBias: tensors.vector('bias', [d]), subtractDecoderBias: true, activation: { kind: 'relu' }, notes: ['The library scales decoder rows to norm 1 when it loads; reconstructions are the same, latents differ by that norm.'] };
    case 'AutoEncoderNew':
      return { ...common, ...linear(), encoderBias: tensors.vector('encoder.bias', [m]), decoderBias: tensors.vector('decoder.bias', [d]), subtractDecoderBias: false, activation: { kind: 'relu' } };
    case 'GatedAutoEncoder':
      return { ...common, ...linear(), encoderBias: null, decoderBias: tensors.vector('decoder_bias', [d]), subtractDecoderBias: true, activation: { kind: 'gated', gateBias: tensors.vector('gate_bias', [m]), magnitudeBias: tensors.vector('mag_bias', [m]), logScale: tensors.vector('r_mag', [m]) } };
    case 'JumpReluAutoEncoder':
      return { ...common, ...matrices(), subtractDecoderBias: false, activation: { kind: 'jumprelu', threshold: { tensor: tensors.vector('threshold', [m]), log: false } } };
    case 'AutoEncoderTopK': {
      const k = given.k ?? trainer.k;
      if (k === undefined || k === null || k > m) throw new SaeEvalError('sae-option', `${configPath}: expected trainer.k of 1…${m}, found ${k ?? 'none'}. Give k in the request.`, { fields: [{ path: 'k', message: `expected 1…${m}` }] });
      return { ...common, ...linear(), encoderBias: tensors.vector('encoder.bias', [m]), decoderBias: tensors.vector(tensors.has('b_dec') ? 'b_dec' : 'bias', [d]), subtractDecoderBias: true, activation: { kind: 'topk', k } };
    }
    case 'BatchTopKSAE':
      return { ...common, ...linear(), encoderBias: tensors.vector('encoder.bias', [m]), decoderBias: tensors.vector(tensors.has('b_dec') ? 'b_dec' : 'bias', [d]), subtractDecoderBias: true, activation: batchThreshold(), notes: unset };
    case 'MatryoshkaBatchTopKSAE':
      return { ...common, ...matrices(), subtractDecoderBias: true, activation: batchThreshold(), notes: unset };
    default:
      throw new SaeEvalError('sae-kind', `${configPath}: trainer.dict_class ${JSON.stringify(dictClass)} is not supported.`);
  }
}
