/**
 * OpenMOSS' Language-Model-SAEs: `config.json` with `act_fn`, and `sae_weights.safetensors` or
 * `.pt`; Llama-Scope-R1's files, whose tensors have linear layers' names; crosscoders with a head
 * for each hook point.
 */
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { readPositive } from '../../checkpoint/scalar.js';
import { SaeEvalError } from '../../errors.js';
import type { Normalization, PointwiseActivation } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, Refused, type Vocabulary } from './vocabulary.js';

const schema = z.looseObject({
  d_model: z.int().positive(),
  expansion_factor: z.number().positive(),
  act_fn: z.string(),
  norm_activation: z.string().default('dataset-wise'),
  sparsity_include_decoder_norm: z.boolean().default(true),
  use_decoder_bias: z.boolean().default(true),
  use_glu_encoder: z.boolean().optional(),
  apply_decoder_bias_to_pre_encoder: z.boolean().nullish(),
  d_sae: z.int().positive().nullish(),
  jump_relu_threshold: z.number().nullish(),
  dataset_average_activation_norm: z.record(z.string(), z.number().positive()).nullish(),
  top_k: z.int().positive().optional(),
  hook_point_in: z.string().optional(),
  hook_point_out: z.string().optional(),
  hook_points: z.array(z.string()).min(1).max(256).optional(),
});

const vocabulary: Vocabulary = {
  keys: {
    ...all('honored', 'd_model', 'd_sae', 'expansion_factor', 'act_fn', 'top_k'),
    ...all('honored', 'norm_activation', 'dataset_average_activation_norm', 'use_glu_encoder'),
    ...all('honored', 'sparsity_include_decoder_norm', 'use_decoder_bias', 'jump_relu_threshold'),
    ...all('honored', 'apply_decoder_bias_to_pre_encoder'),
    ...all('honored', 'hook_point_in', 'hook_point_out', 'hook_points'),
    sae_type: new Refused('another kind of dictionary', [null, 'sae', 'crosscoder']),
    ...all(
      new Refused('a cross-layer transcoder', [null]),
      ...['hook_points_in', 'hook_points_out'],
    ),
    // Where and how fast it computes.
    ...all('harmless', 'dtype', 'device', 'promote_act_fn_dtype', 'use_triton_kernel'),
    ...all('harmless', 'sparsity_threshold_for_triton_spmm_kernel', 'decode_with_csr'),
    ...all('harmless', 'sparsity_threshold_for_csr', 'tp_size', 'ddp_size'),
    ...all('harmless', 'model_parallel_size_training', 'sae_pretrained_name_or_path'),
    ...all('harmless', 'strict_loading'),
    // Settings of training.
    ...all('harmless', 'jumprelu_threshold_window', 'force_unit_decoder_norm', 'lp', 'initial_k'),
    ...all('harmless', 'decoder_exactly_fixed_norm', 'decoder_exactly_unit_norm'),
    ...all('harmless', 'init_decoder_norm', 'init_encoder_norm', 'k_warmup_steps'),
    ...all('harmless', 'init_encoder_with_decoder_transpose', 'bias_init_method'),
    ...all('harmless', 'l1_coefficient', 'l1_coefficient_warmup_steps', 'use_batch_norm_mse'),
    ...all('harmless', 'use_ghost_grads', 'decoder_bias_init_method'),
  },
  tensors: {
    ...all('honored', 'W_E', 'b_E', 'W_D', 'b_D', 'W_E_glu', 'b_E_glu'),
    ...all('honored', 'encoder.weight', 'encoder.bias', 'decoder.weight', 'decoder.bias'),
    ...all('honored', 'activation_function.log_jumprelu_threshold', 'log_jumprelu_threshold'),
    'dataset_average_activation_norm.*': 'setting',
  },
};

interface Source {
  config: z.infer<typeof schema>;
  tensors: Tensors;
  given: GivenSettings;
  file: string;
}

const normPrefix = 'dataset_average_activation_norm.';

function normalizationOf({ config, tensors, given, file }: Source, hook: string): Normalization {
  if (given.fields.scale !== undefined) return given.optionalScale({ kind: 'none' });
  switch (config.norm_activation) {
    case 'inference':
      return given.optionalScale({ kind: 'none' });
    case 'token-wise':
      return given.optionalScale({ kind: 'token-norm' });
    case 'dataset-wise': {
      const names = [...tensors.checkpoint.entries.keys()].filter((name) =>
        name.startsWith(normPrefix),
      );
      const own = names.find((candidate) => candidate === `${normPrefix}${hook}`);
      const name = own ?? (names.length === 1 ? names[0] : undefined);
      const norms = config.dataset_average_activation_norm;
      const inConfig = norms?.[hook] ?? norms?.['in'];
      if (name === undefined && inConfig !== undefined)
        return given.optionalScale({
          kind: 'scale',
          factor: Math.sqrt(config.d_model) / inConfig,
        });
      if (name === undefined)
        return given.neededScale(
          'norm_activation is dataset-wise, and the weights do not hold the average norm ' +
            `('${normPrefix}<hook point>'); the scale is √d / that norm.`,
        );
      const factor = Math.sqrt(config.d_model) / readPositive(tensors.checkpoint, name);
      return given.optionalScale({ kind: 'scale', factor });
    }
    default:
      throw new SaeEvalError(
        'sae-kind',
        `${file}: norm_activation ${JSON.stringify(config.norm_activation.slice(0, 60))} is not ` +
          'supported; expected dataset-wise, token-wise or inference.',
      );
  }
}

function activationOf({ config, tensors, given, file }: Source, m: number): PointwiseActivation {
  switch (config.act_fn) {
    case 'relu':
      return { kind: 'relu' };
    case 'jumprelu': {
      const name = tensors.either(
        'activation_function.log_jumprelu_threshold',
        'log_jumprelu_threshold',
      );
      const { jump_relu_threshold: value } = config;
      if (typeof value === 'number' && !tensors.has(name))
        return { kind: 'jumprelu', threshold: { value } };
      return { kind: 'jumprelu', threshold: { tensor: tensors.threshold(name, m), log: true } };
    }
    case 'topk':
      return { kind: 'topk', k: given.k({ saved: config.top_k, m, where: 'config.json' }) };
    default:
      throw new SaeEvalError(
        'sae-kind',
        `${file}: act_fn ${JSON.stringify(config.act_fn.slice(0, 60))} is not supported; ` +
          'expected relu, jumprelu or topk.',
      );
  }
}

function describeCrosscoder(source: Source, hooks: string[], m: number): FormatDescription {
  const { config, tensors, given } = source;
  const n = hooks.length;
  const d = config.d_model;
  const sites = given.perSite(n, 'hook point');
  const normalizations = hooks.map((hook, j) =>
    normalizationOf({ ...source, given: sites[j]! }, hook),
  );
  given.takeOver(sites);
  return {
    form: 'crosscoder',
    d,
    m,
    sites: n,
    place: { over: 'hook points', named: hooks },
    encoder: { tensor: tensors.vector('W_E', [n, d, m]), sitesAt: 0 },
    decoder: { tensor: tensors.vector('W_D', [n, m, d]), sitesAt: 0 },
    encoderBias: tensors.vector('b_E', [n, m]),
    decoderBias: tensors.vector('b_D', [n, d]),
    activation: activationOf(source, m),
    decoderNorm: 'selection',
    normalizations,
    notes: [],
  };
}

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const file = configPath!;
  const config = readConfig(file, schema);
  const { d_model: d, hook_points: hooks, hook_point_in: hook, hook_point_out: out } = config;
  const m = config.d_sae ?? Math.trunc(d * config.expansion_factor);
  const tensors = new Tensors(checkpoint);
  const source = { config, tensors, given, file };
  if (hooks !== undefined) return describeCrosscoder(source, hooks, m);
  if (out !== undefined && out !== hook)
    throw new SaeEvalError(
      'sae-kind',
      `${file}: a transcoder from ${hook ?? 'somewhere'} to ${out}; only autoencoders are ` +
        'evaluated.',
    );
  const linear = !tensors.has('W_E') && tensors.has('encoder.weight');
  if (config.use_glu_encoder === false && tensors.has('W_E_glu'))
    throw new SaeEvalError(
      'checkpoint-keys',
      `${file}: use_glu_encoder is false, and the weights have 'W_E_glu': expected true, or ` +
        'weights without it.',
    );
  return {
    form: 'dictionary',
    d,
    m,
    place: { over: 'hook point', named: hook ?? null, from: 'config' },
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
    subtractDecoderBias: config.apply_decoder_bias_to_pre_encoder === true,
    centered: given.centered(),
    glu:
      (config.use_glu_encoder ?? tensors.has('W_E_glu'))
        ? {
            weight: tensors.weight('W_E_glu', [d, m], 'as stored'),
            bias: tensors.vector('b_E_glu', [m]),
          }
        : null,
    activation: activationOf(source, m),
    decoderNorm: config.sparsity_include_decoder_norm ? 'selection' : 'none',
    normalization: normalizationOf(source, hook ?? ''),
    notes: [],
  };
}

export const openMoss: Format = {
  name: 'openmoss',
  folder: { weights: ['sae_weights.safetensors', 'sae_weights.pt'], config: 'config.json' },
  vocabulary,
  describe,
};
