/**
 * OpenMOSS' Language-Model-SAEs: `config.json` with `act_fn`, and `sae_weights.safetensors` or
 * `.pt`; Llama-Scope-R1's, whose tensors have linear layers' names; crosscoders with a head for
 * each hook point.
 */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readConfig } from '../../checkpoint/json-file.js';
import {
  givenScale,
  needK,
  needScale,
  scaleOf,
  Tensors,
  type Activation,
  type CrosscoderDescription,
  type GivenSettings,
  type Normalization,
  type PublishedDescription,
} from '../description.js';
import { readPositive } from '../../checkpoint/scalar.js';

const schema = z.looseObject({
  d_model: z.int().positive(),
  expansion_factor: z.number().positive(),
  act_fn: z.string(),
  norm_activation: z.string().default('dataset-wise'),
  sparsity_include_decoder_norm: z.boolean().default(true),
  use_decoder_bias: z.boolean().default(true),
  use_glu_encoder: z.boolean().default(false),
  top_k: z.int().positive().optional(),
  hook_point_in: z.string().optional(),
  hook_point_out: z.string().optional(),
  hook_points: z.array(z.string()).min(1).max(256).optional(),
});
type Config = z.infer<typeof schema>;

const normPrefix = 'dataset_average_activation_norm.';

function normalizationOf(
  config: Config,
  hookPoint: string | null,
  tensors: Tensors,
  given: GivenSettings,
  file: string,
): Normalization {
  const scale = givenScale(given, file);
  if (scale !== undefined) return scaleOf(scale, file);
  switch (config.norm_activation) {
    case 'inference':
      return { kind: 'none' };
    case 'token-wise':
      return { kind: 'token-norm' };
    case 'dataset-wise': {
      const names = [...tensors.checkpoint.entries.keys()].filter((name) =>
        name.startsWith(normPrefix),
      );
      const name =
        names.find((candidate) => candidate === `${normPrefix}${hookPoint}`) ??
        (names.length === 1 ? names[0] : undefined);
      if (name === undefined)
        return needScale(
          given,
          file,
          'norm_activation is dataset-wise, and the average norm is not in the weights ' +
            `('${normPrefix}<hook point>'); the scale is √d / that norm.`,
        );
      return {
        kind: 'scale',
        factor: Math.sqrt(config.d_model) / readPositive(tensors.checkpoint, name),
      };
    }
    default:
      throw new SaeEvalError(
        'sae-kind',
        `${file}: norm_activation ${JSON.stringify(config.norm_activation.slice(0, 60))} ` +
          'is not supported; expected dataset-wise, token-wise or inference.',
      );
  }
}

function activationOf(
  config: Config,
  tensors: Tensors,
  m: number,
  given: GivenSettings,
  file: string,
): Activation {
  switch (config.act_fn) {
    case 'relu':
      return { kind: 'relu' };
    case 'jumprelu': {
      const name = tensors.either(
        'activation_function.log_jumprelu_threshold',
        'log_jumprelu_threshold',
      );
      return { kind: 'jumprelu', threshold: { tensor: tensors.threshold(name, m), log: true } };
    }
    case 'topk':
      return { kind: 'topk', k: needK(given, config.top_k, m, file, 'its config.json') };
    default:
      throw new SaeEvalError(
        'sae-kind',
        `${file}: act_fn ${JSON.stringify(config.act_fn.slice(0, 60))} is not supported; ` +
          'expected relu, jumprelu or topk.',
      );
  }
}

function describeCrosscoder(
  config: Config,
  hookPoints: string[],
  configPath: string,
  tensors: Tensors,
  m: number,
  given: GivenSettings,
): CrosscoderDescription {
  const n = hookPoints.length;
  const d = config.d_model;
  const { scale } = given;
  if (Array.isArray(scale) && scale.length !== n)
    throw new SaeEvalError(
      'sae-option',
      `${configPath}: expected ${n} numbers for \`scale\`, one for each hook point, found ` +
        `${scale.length}.`,
      { fields: [{ path: 'scale', message: `expected ${n} numbers` }] },
    );
  const { scale: _, ...others } = given;
  const scaleAt = (j: number): { scale?: number } =>
    scale === undefined ? {} : { scale: typeof scale === 'number' ? scale : scale[j]! };
  return {
    form: 'crosscoder',
    source: 'openmoss',
    checkpoint: tensors.checkpoint,
    configPath,
    d,
    m,
    sites: n,
    hookPoints,
    encoder: tensors.vector('W_E', [n, d, m]),
    decoder: { tensor: tensors.vector('W_D', [n, m, d]), order: 'sites first' },
    encoderBias: tensors.vector('b_E', [n, m]),
    decoderBias: tensors.vector('b_D', [n, d]),
    activation: activationOf(config, tensors, m, given, configPath),
    decoderNorm: 'selection',
    normalizations: hookPoints.map((hookPoint, j) =>
      normalizationOf(config, hookPoint, tensors, { ...others, ...scaleAt(j) }, configPath),
    ),
    notes: [],
  };
}

/** @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeOpenMoss(
  configPath: string,
  checkpoint: Checkpoint,
  given: GivenSettings,
): PublishedDescription {
  const config = readConfig(configPath, schema);
  const d = config.d_model;
  const m = Math.trunc(d * config.expansion_factor);
  const tensors = new Tensors(checkpoint);
  if (config.hook_points !== undefined)
    return describeCrosscoder(config, config.hook_points, configPath, tensors, m, given);
  if (config.hook_point_out !== undefined && config.hook_point_out !== config.hook_point_in)
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: a transcoder from ${config.hook_point_in ?? 'somewhere'} to ` +
        `${config.hook_point_out}; only autoencoders are evaluated.`,
    );
  const hookPoint = config.hook_point_in ?? null;
  const linear = !tensors.has('W_E') && tensors.has('encoder.weight');
  return {
    form: 'sae',
    source: 'openmoss',
    checkpoint,
    configPath,
    d,
    m,
    hookPoint,
    hookPointFrom: 'config',
    encoder: linear
      ? tensors.weight('encoder.weight', [m, d], 'transposed')
      : tensors.weight('W_E', [d, m], 'as stored'),
    decoder: linear
      ? tensors.weight('decoder.weight', [d, m], 'transposed')
      : tensors.weight('W_D', [m, d], 'as stored'),
    encoderBias: tensors.vector(linear ? 'encoder.bias' : 'b_E', [m]),
    decoderBias: config.use_decoder_bias
      ? tensors.vector(linear ? 'decoder.bias' : 'b_D', [d])
      : null,
    subtractDecoderBias: false,
    centred: given.centred === true,
    glu:
      config.use_glu_encoder || tensors.has('W_E_glu')
        ? {
            weight: tensors.weight('W_E_glu', [d, m], 'as stored'),
            bias: tensors.vector('b_E_glu', [m]),
          }
        : null,
    activation: activationOf(config, tensors, m, given, configPath),
    decoderNorm: config.sparsity_include_decoder_norm ? 'selection' : 'none',
    normalization: normalizationOf(config, hookPoint, tensors, given, configPath),
    notes: [],
  };
}
