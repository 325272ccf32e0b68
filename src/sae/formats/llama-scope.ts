/**
 * Llama Scope (arXiv:2410.20526): `hyperparams.json` and `checkpoints/final.safetensors`; one
 * threshold for all latents. Readers of these files disagree on whether the threshold is meant
 * before or after scaling, so the scale must be given.
 */
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';

const schema = z.looseObject({
  d_model: z.int().positive(),
  d_sae: z.int().positive(),
  jump_relu_threshold: z.number(),
  dataset_average_activation_norm: z.looseObject({ in: z.number().positive() }).optional(),
  hook_point_in: z.string().optional(),
  hook_point_out: z.string().optional(),
  sparsity_include_decoder_norm: z.boolean().default(false),
  use_decoder_bias: z.boolean().default(true),
});

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const config = readConfig(configPath!, schema);
  const { d_model: d, d_sae: m, hook_point_in: hook, hook_point_out: out } = config;
  if (out !== undefined && out !== hook)
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: a transcoder from ${hook ?? 'somewhere'} to ${out}; only autoencoders are ` +
        'evaluated.',
    );
  const tensors = new Tensors(checkpoint);
  const norms = config.dataset_average_activation_norm;
  const hint =
    norms === undefined
      ? ''
      : ' From dataset_average_activation_norm it would be √d / norm = ' +
        `${(Math.sqrt(d) / norms.in).toPrecision(8)}.`;
  return {
    form: 'dictionary',
    d,
    m,
    place: { over: 'hook point', named: hook ?? null, from: 'config' },
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
    encoderBias: tensors.vector('encoder.bias', [m]),
    decoderBias: config.use_decoder_bias ? tensors.vector('decoder.bias', [d]) : null,
    subtractDecoderBias: false,
    glu: null,
    centered: given.centered(),
    activation: { kind: 'jumprelu', threshold: { value: config.jump_relu_threshold } },
    decoderNorm: config.sparsity_include_decoder_norm ? 'selection' : 'none',
    normalization: given.neededScale(
      `The scale of the input of Llama Scope’s SAEs could not be verified.${hint}`,
    ),
    notes: [
      {
        en:
          'About 50 active latents per token are published for these SAEs. Another L0 means that ' +
          'the scale is wrong.',
        zh: '这些 SAE 公布的每词元激活潜变量约为 50 个；L0 相差很大说明 scale 有误。',
      },
    ],
  };
}

export const llamaScope: Format = {
  name: 'llama-scope',
  folder: { weights: ['checkpoints/final.safetensors'], config: 'hyperparams.json' },
  describe,
};
