/** OpenMOSS' Language-Model-SAEs: `config.json` with `act_fn`, and `sae_weights.safetensors`. */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../read.js';
import { readConfig } from './config-file.js';
import { needScale, residualLayer, Tensors, type Activation, type GivenSettings, type Normalization, type SaeDescription } from './description.js';

const schema = z.looseObject({
  d_model: z.int().positive(),
  expansion_factor: z.number().positive(),
  act_fn: z.string(),
  norm_activation: z.string().default('dataset-wise'),
  sparsity_include_decoder_norm: z.boolean().default(true),
  use_decoder_bias: z.boolean().default(true),
  top_k: z.int().positive().optional(),
  hook_point_in: z.string().optional(),
  hook_point_out: z.string().optional(),
});
type Config = z.infer<typeof schema>;

const normPrefix = 'dataset_average_activation_norm.';

function normalizationOf(config: Config, tensors: Tensors, given: GivenSettings, file: string): Normalization {
  if (given.scale !== undefined) return needScale(given, file, '');
  switch (config.norm_activation) {
    case 'inference': return { kind: 'none' };
    case 'token-wise': return { kind: 'token-norm' };
    case 'dataset-wise': {
      const names = [...tensors.checkpoint.entries.keys()].filter((name) => name.startsWith(normPrefix));
      const name = names.find((candidate) => candidate === `${normPrefix}${config.hook_point_in}`) ?? (names.length === 1 ? names[0] : undefined);
      if (name === undefined) return needScale(given, file, `norm_activation is dataset-wise, and the average norm is not in the weights ('${normPrefix}<hook point>').`);
      return { kind: 'average-norm', tensor: tensors.vector(name, [], [1]) };
    }
    default: throw new SaeEvalError('sae-kind', `${file}: norm_activation ${JSON.stringify(config.norm_activation)} is not supported; expected dataset-wise, token-wise or inference.`);
  }
}

function activationOf(config: Config, tensors: Tensors, m: number, given: GivenSettings, file: string): Activation {
  switch (config.act_fn) {
    case 'relu': return { kind: 'relu' };
    case 'jumprelu': {
      const name = ['activation_function.log_jumprelu_threshold', 'log_jumprelu_threshold'].find((candidate) => tensors.has(candidate));
      return { kind: 'jumprelu', threshold: { tensor: tensors.vector(name ?? 'activation_function.log_jumprelu_threshold', [m], [], [1]), log: true } };
    }
    case 'topk': {
      const k = given.k ?? config.top_k;
      if (k === undefined || k > m) throw new SaeEvalError('sae-option', `${file}: expected top_k of 1…${m}, found ${k ?? 'none'}. Give k in the request.`, { fields: [{ path: 'k', message: `expected 1…${m}` }] });
      return { kind: 'topk', k };
    }
    default: throw new SaeEvalError('sae-kind', `${file}: act_fn ${JSON.stringify(config.act_fn)} is not supported; expected relu, jumprelu or topk.`);
  }
}

/** @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeOpenMoss(configPath: string, checkpoint: Checkpoint, given: GivenSettings): SaeDescription {
  const config = readConfig(configPath, schema);
  const d = config.d_model;
  const m = Math.round(d * config.expansion_factor);
  const tensors = new Tensors(checkpoint);
  if (tensors.has('W_E_glu')) throw new SaeEvalError('sae-kind', `${configPath}: an SAE with a gated linear unit (W_E_glu) is not supported.`);
  if (config.hook_point_out !== undefined && config.hook_point_out !== config.hook_point_in) throw new SaeEvalError('sae-kind', `${configPath}: a transcoder from ${config.hook_point_in ?? 'somewhere'} to ${config.hook_point_out}; only autoencoders are evaluated.`);
  const hookPoint = config.hook_point_in ?? null;
  return {
    source: 'openmoss', checkpoint, d, m, hookPoint,
    encoder: tensors.weight('W_E', [d, m], 'as stored'),
    decoder: tensors.weight('W_D', [m, d], 'as stored'),
    encoderBias: tensors.vector('b_E', [m]),
    decoderBias: config.use_decoder_bias ? tensors.vector('b_D', [d]) : null,
    subtractDecoderBias: false,
    activation: activationOf(config, tensors, m, given, configPath),
    decoderNorm: config.sparsity_include_decoder_norm ? 'selection' : 'none',
    skip: null,
    normalization: normalizationOf(config, tensors, given, configPath),
    layer: given.layer ?? residualLayer(hookPoint),
    notes: [],
  };
}
