/**
 * Llama Scope (arXiv:2410.20526): `hyperparams.json` and `checkpoints/final.safetensors`; one
 * threshold for all latents.
 */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readConfig } from '../../checkpoint/json-file.js';
import { needScale, Tensors, type GivenSettings, type SaeDescription } from '../description.js';

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

/**
 * Refused unless `scale` is given: readers of these files disagree on whether the threshold is
 * meant before or after scaling.
 * @throws SaeEvalError `checkpoint-*`, `sae-option`.
 */
export function describeLlamaScope(
  configPath: string,
  checkpoint: Checkpoint,
  given: GivenSettings,
): SaeDescription {
  const {
    d_model: d,
    d_sae: m,
    jump_relu_threshold: value,
    dataset_average_activation_norm: norms,
    hook_point_in: hook,
    ...config
  } = readConfig(configPath, schema);
  if (config.hook_point_out !== undefined && config.hook_point_out !== hook)
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: a transcoder from ${hook ?? 'somewhere'} to ` +
        `${config.hook_point_out}; only autoencoders are evaluated.`,
    );
  const tensors = new Tensors(checkpoint);
  const hint =
    norms === undefined
      ? ''
      : ' From dataset_average_activation_norm it would be √d / norm = ' +
        `${(Math.sqrt(d) / norms.in).toPrecision(8)}.`;
  return {
    form: 'sae',
    source: 'llama-scope',
    checkpoint,
    configPath,
    d,
    m,
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
    encoderBias: tensors.vector('encoder.bias', [m]),
    decoderBias: config.use_decoder_bias ? tensors.vector('decoder.bias', [d]) : null,
    subtractDecoderBias: false,
    glu: null,
    centred: given.centred === true,
    activation: { kind: 'jumprelu', threshold: { value } },
    decoderNorm: config.sparsity_include_decoder_norm ? 'selection' : 'none',
    normalization: needScale(
      given,
      configPath,
      `the scale of the input of Llama Scope's SAEs could not be verified.${hint}`,
    ),
    hookPoint: hook ?? null,
    hookPointFrom: 'config',
    notes: [
      {
        en:
          'About 50 active latents per token are published for these SAEs; another L0 means ' +
          'that the scale is wrong.',
        zh: '这些 SAE 公布的每词元激活潜变量约为 50 个；L0 相差很大说明 scale 有误。',
      },
    ],
  };
}
