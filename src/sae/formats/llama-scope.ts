/**
 * Llama Scope (arXiv:2410.20526): `hyperparams.json` and `checkpoints/final.safetensors`; one
 * threshold for all latents. These were TopK SAEs on scaled inputs; the threshold was measured
 * afterwards on raw ones, so that it is multiplied by the scale here.
 *
 *   x = s h;   a = W_e x + b_e;   z = a · 1[a ‖W_d row‖ > s θ];   ĥ = (W_d z + b_d) / s_out
 */
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import type { Bilingual } from '../../bilingual.js';
import type { Activation, Normalization } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, Refused, type Vocabulary } from './vocabulary.js';

const norm = z.number().positive();
const schema = z.looseObject({
  d_model: z.int().positive(),
  d_sae: z.int().positive(),
  act_fn: z.string().default('jumprelu'),
  jump_relu_threshold: z.number().default(0),
  top_k: z.int().positive().nullish(),
  norm_activation: z.string().nullish(),
  dataset_average_activation_norm: z.looseObject({ in: norm, out: norm.nullish() }).nullish(),
  hook_point_in: z.string().optional(),
  hook_point_out: z.string().optional(),
  sparsity_include_decoder_norm: z.boolean().default(false),
  use_decoder_bias: z.boolean().default(true),
  apply_decoder_bias_to_pre_encoder: z.boolean().default(false),
});

const gate = new Refused('an encoder with a gate of its own');

const vocabulary: Vocabulary = {
  keys: {
    ...all('honored', 'd_model', 'd_sae', 'act_fn', 'jump_relu_threshold', 'top_k'),
    ...all('honored', 'norm_activation', 'hook_point_in', 'hook_point_out'),
    ...all('honored', 'sparsity_include_decoder_norm', 'use_decoder_bias'),
    ...all('honored', 'apply_decoder_bias_to_pre_encoder'),
    dataset_average_activation_norm: all('honored', 'in', 'out'),
    use_glu_encoder: gate,
    sae_type: new Refused('another kind of dictionary', [null, 'sae']),
    ...all('harmless', 'expansion_factor', 'dtype', 'device', 'seed', 'tp_size', 'ddp_size'),
    ...all('harmless', 'sae_pretrained_name_or_path', 'strict_loading', 'bias_init_method'),
    ...all('harmless', 'decoder_exactly_fixed_norm', 'decoder_exactly_unit_norm'),
    ...all('harmless', 'init_decoder_norm', 'init_encoder_norm'),
    ...all('harmless', 'init_encoder_with_decoder_transpose', 'decoder_bias_init_method'),
    ...all('harmless', 'lp', 'l1_coefficient', 'l1_coefficient_warmup_steps', 'initial_k'),
    ...all('harmless', 'k_warmup_steps', 'use_batch_norm_mse', 'use_ghost_grads'),
  },
  tensors: {
    ...all('honored', 'encoder.weight', 'encoder.bias', 'decoder.weight', 'decoder.bias'),
    'encoder_glu.*': gate,
  },
};

interface Source {
  config: z.infer<typeof schema>;
  given: GivenSettings;
  file: string;
}

const unsupported = (file: string, key: string, value: string, expected: string): SaeEvalError =>
  new SaeEvalError(
    'sae-kind',
    `${file}: ${key} ${JSON.stringify(value.slice(0, 60))} is not supported; expected ${expected}.`,
  );

function normalizationOf({ config, given, file }: Source): Normalization {
  const { d_model: d, dataset_average_activation_norm: norms } = config;
  switch (config.norm_activation ?? 'dataset-wise') {
    case 'dataset-wise':
      return norms
        ? given.optionalScale({ kind: 'scale', factor: Math.sqrt(d) / norms.in })
        : given.neededScale(
            'norm_activation is dataset-wise, and the file holds no ' +
              'dataset_average_activation_norm.in; the scale is √d / that norm.',
          );
    case 'token-wise':
      given.refuse('scale', 'norm_activation is token-wise, which needs no scale');
      return { kind: 'token-norm' };
    case 'inference':
      return given.optionalScale({ kind: 'none' });
    default:
      throw unsupported(
        file,
        'norm_activation',
        config.norm_activation!,
        'dataset-wise, token-wise or inference',
      );
  }
}

function activationOf({ config, given, file }: Source, scale: number): Activation {
  const { act_fn: name, jump_relu_threshold: threshold, top_k: saved, d_sae: m } = config;
  const stated = name.toLowerCase();
  // A TopK with a threshold is a JumpReLU for its own library too.
  switch (stated === 'topk' && threshold > 0 ? 'jumprelu' : stated) {
    case 'relu':
      return { kind: 'relu' };
    case 'topk':
      return { kind: 'topk', k: given.k({ saved, m, where: 'hyperparams.json' }) };
    case 'jumprelu':
      return {
        kind: 'jumprelu',
        threshold: { value: threshold * scale },
        ...(threshold < 0 ? { signed: true } : {}),
      };
    default:
      throw unsupported(file, 'act_fn', name, 'jumprelu, topk or relu');
  }
}

const aboutFifty: Bilingual = {
  en:
    'About 50 active latents per token are published for these SAEs. Another L0 means that the ' +
    'scale is wrong.',
  zh: '这些 SAE 公布的每词元激活潜变量约为 50 个；L0 相差很大说明 scale 有误。',
};

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const file = configPath!;
  const config = readConfig(file, schema);
  const { d_model: d, d_sae: m, hook_point_in: hook, hook_point_out: out } = config;
  if (out !== undefined && out !== hook)
    throw new SaeEvalError(
      'sae-kind',
      `${file}: a transcoder from ${hook ?? 'somewhere'} to ${out}; only autoencoders are ` +
        'evaluated.',
    );
  const tensors = new Tensors(checkpoint);
  const source = { config, given, file };
  const normalization = normalizationOf(source);
  const scale = normalization.kind === 'scale' ? normalization.factor : 1;
  const norms = config.dataset_average_activation_norm;
  // s / s_out: the output is divided by a scale of its own, and the normalization divides by s.
  const rescaled =
    normalization.kind === 'scale' && norms?.out ? { factor: norms.out / norms.in } : {};
  return {
    form: 'dictionary',
    d,
    m,
    place: { over: 'hook point', named: hook ?? null, from: 'config' },
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: { ...tensors.weight('decoder.weight', [d, m], 'transposed'), ...rescaled },
    encoderBias: tensors.vector('encoder.bias', [m]),
    decoderBias: config.use_decoder_bias ? tensors.vector('decoder.bias', [d]) : null,
    ...(rescaled.factor === undefined ? {} : { decoderBiasFactor: rescaled.factor }),
    subtractDecoderBias: config.apply_decoder_bias_to_pre_encoder,
    glu: null,
    centered: given.centered(),
    activation: activationOf(source, scale),
    decoderNorm: config.sparsity_include_decoder_norm ? 'selection' : 'none',
    normalization,
    notes: normalization.kind === 'scale' && !norms ? [aboutFifty] : [],
  };
}

export const llamaScope: Format = {
  name: 'llama-scope',
  folder: { weights: ['checkpoints/final.safetensors'], config: 'hyperparams.json' },
  vocabulary,
  describe,
};
