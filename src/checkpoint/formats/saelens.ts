/** SAELens (github.com/decoderesearch/SAELens): `cfg.json` of version 6 and before, `sae_weights.safetensors`. */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../read.js';
import { readConfig } from './config-file.js';
import { needScale, residualLayer, Tensors, type Activation, type GivenSettings, type Normalization, type SaeDescription } from './description.js';

const size = z.int().positive();
const schema = z.looseObject({
  architecture: z.string().default('standard'),
  d_in: size,
  d_sae: size,
  apply_b_dec_to_input: z.boolean().default(true),
  normalize_activations: z.string().nullable().default('none'),
  rescale_acts_by_decoder_norm: z.boolean().default(false),
  finetuning_scaling_factor: z.boolean().default(false),
  k: size.optional(),
  activation_fn_str: z.string().optional(),
  activation_fn: z.string().optional(),
  activation_fn_kwargs: z.looseObject({ k: size.optional() }).optional(),
  hook_name: z.string().optional(),
  hook_point: z.string().optional(),
  metadata: z.looseObject({ hook_name: z.string().nullish() }).nullish(),
});
type Config = z.infer<typeof schema>;

function activationOf(config: Config, tensors: Tensors, m: number, given: GivenSettings, file: string): Activation {
  const before6 = config.activation_fn_str ?? config.activation_fn;
  const architecture = config.architecture === 'standard' && before6 === 'topk' ? 'topk' : config.architecture;
  switch (architecture) {
    case 'standard':
      if (before6 !== undefined && before6 !== 'relu') throw new SaeEvalError('sae-kind', `${file}: activation ${JSON.stringify(before6)} is not supported; expected relu or topk.`);
      return { kind: 'relu' };
    case 'gated':
      return { kind: 'gated', gateBias: tensors.vector('b_gate', [m]), magnitudeBias: tensors.vector('b_mag', [m]), logScale: tensors.vector('r_mag', [m]) };
    case 'jumprelu': {
      const log = !tensors.has('threshold') && tensors.has('log_threshold');
      return { kind: 'jumprelu', threshold: { tensor: tensors.vector(log ? 'log_threshold' : 'threshold', [m]), log } };
    }
    case 'topk': {
      const k = given.k ?? config.k ?? config.activation_fn_kwargs?.k;
      if (k === undefined || k > m) throw new SaeEvalError('sae-option', `${file}: expected k of 1…${m} in its cfg.json, found ${k ?? 'none'}. Give k in the request.`, { fields: [{ path: 'k', message: `expected 1…${m}` }] });
      return { kind: 'topk', k };
    }
    default:
      throw new SaeEvalError('sae-kind', `${file}: SAELens architecture ${JSON.stringify(architecture)} is not supported; expected standard, gated, topk or jumprelu (batchtopk is saved as jumprelu).`);
  }
}

function normalizationOf(mode: string | null, given: GivenSettings, file: string): Normalization {
  switch (mode) {
    case null: case 'none': return given.scale === undefined ? { kind: 'none' } : needScale(given, file, '');
    case 'layer_norm': return { kind: 'layer-norm', epsilon: 1e-5 };
    case 'constant_norm_rescale': return { kind: 'token-norm' };
    case 'expected_average_only_in': return needScale(given, file, 'normalize_activations is expected_average_only_in, whose factor SAELens does not save (norm_scaling_factor in its list of pretrained SAEs).');
    default: throw new SaeEvalError('sae-kind', `${file}: normalize_activations ${JSON.stringify(mode)} is not supported.`);
  }
}

/** `cfg.json` and the tensors beside it. @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeSaelens(configPath: string, checkpoint: Checkpoint, given: GivenSettings): SaeDescription {
  const config = readConfig(configPath, schema);
  const { d_in: d, d_sae: m } = config;
  if (config.finetuning_scaling_factor) throw new SaeEvalError('sae-kind', `${configPath}: finetuning_scaling_factor is not supported.`);
  const tensors = new Tensors(checkpoint);
  const activation = activationOf(config, tensors, m, given, configPath);
  const hookPoint = config.metadata?.hook_name ?? config.hook_name ?? config.hook_point ?? null;
  return {
    source: 'saelens', checkpoint, d, m, hookPoint, activation,
    encoder: tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: activation.kind === 'gated' ? null : tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: config.apply_b_dec_to_input,
    decoderNorm: config.rescale_acts_by_decoder_norm && activation.kind === 'topk' ? 'latents' : 'none',
    skip: null,
    normalization: normalizationOf(config.normalize_activations, given, configPath),
    layer: given.layer ?? residualLayer(hookPoint),
    notes: [],
  };
}
