/**
 * SAELens (github.com/decoderesearch/SAELens): `cfg.json` of version 6 and before,
 * `sae_weights.safetensors`.
 */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Bilingual } from '../../schema/index.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readConfig } from '../../checkpoint/json-file.js';
import {
  givenScale,
  needK,
  needScale,
  refuseScale,
  scaleOf,
  Tensors,
  type Activation,
  type GivenSettings,
  type Normalization,
  type SaeDescription,
} from '../description.js';

const size = z.int().positive();
const modelSettings = z.looseObject({ center_writing_weights: z.boolean().optional() }).nullish();
const metadata = z
  .looseObject({
    hook_name: z.string().nullish(),
    model_from_pretrained_kwargs: modelSettings,
    exclude_special_tokens: z.unknown().optional(),
  })
  .nullish();
const schema = z.looseObject({
  architecture: z.string().default('standard'),
  d_in: size,
  d_sae: size.nullish(), // not in the oldest files
  dtype: z.string().nullish(),
  apply_b_dec_to_input: z.boolean().default(true),
  // Before version 3 a boolean said whether the average norm was scaled.
  normalize_activations: z.union([z.string(), z.boolean()]).nullable().default('none'),
  rescale_acts_by_decoder_norm: z.boolean().default(false),
  finetuning_scaling_factor: z.boolean().default(false),
  k: z.number().nullish(), // whether it fits is a matter of topk alone: batchtopk's is a mean
  activation_fn_str: z.string().nullish(),
  activation_fn: z.string().nullish(),
  activation_fn_kwargs: z.looseObject({ k: size.optional() }).nullish(),
  hook_name: z.string().nullish(),
  hook_point: z.string().nullish(),
  model_from_pretrained_kwargs: modelSettings,
  metadata,
  meta: metadata,
  // Written by `sae-eval convert`: SAELens passes over what it does not know.
  layer_norm_epsilon: z.number().positive().max(1).optional(),
  sae_eval: z
    .looseObject({
      keeps_negative: z.boolean().optional(),
      decoder_norm: z.literal('selection').optional(),
    })
    .optional(),
});
type Config = z.infer<typeof schema>;

function activationOf(
  config: Config,
  tensors: Tensors,
  m: number,
  given: GivenSettings,
  file: string,
): Activation {
  const before6 = config.activation_fn_str ?? config.activation_fn;
  const architecture =
    config.architecture === 'standard' && before6 === 'topk' ? 'topk' : config.architecture;
  const signed = config.sae_eval?.keeps_negative === true ? { signed: true } : {};
  switch (architecture) {
    case 'standard':
      if (before6 !== undefined && before6 !== null && before6 !== 'relu')
        throw new SaeEvalError(
          'sae-kind',
          `${file}: activation ${JSON.stringify(before6)} is not supported; expected relu or topk.`,
        );
      return { kind: 'relu' };
    case 'gated':
      return {
        kind: 'gated',
        gateBias: tensors.vector('b_gate', [m]),
        magnitudeBias: tensors.vector('b_mag', [m]),
        logScale: tensors.vector('r_mag', [m]),
      };
    case 'jumprelu': {
      const log = !tensors.has('threshold') && tensors.has('log_threshold');
      return {
        kind: 'jumprelu',
        threshold: { tensor: tensors.threshold(log ? 'log_threshold' : 'threshold', m), log },
        ...signed,
      };
    }
    case 'topk':
      return {
        kind: 'topk',
        k: needK(given, config.k ?? config.activation_fn_kwargs?.k, m, file, 'its cfg.json'),
        ...signed,
      };
    default:
      throw new SaeEvalError(
        'sae-kind',
        `${file}: SAELens architecture ${JSON.stringify(architecture)} is not supported; ` +
          'expected standard, gated, topk or jumprelu (batchtopk is saved as jumprelu).',
      );
  }
}

function normalizationOf(
  mode: Config['normalize_activations'],
  epsilon: number,
  given: GivenSettings,
  file: string,
): Normalization {
  switch (mode) {
    case null:
    case 'none':
    case false: {
      const scale = givenScale(given, file);
      return scale === undefined ? { kind: 'none' } : scaleOf(scale, file);
    }
    case 'layer_norm':
    case 'constant_norm_rescale':
      refuseScale(given, file, `normalize_activations is ${mode}, which needs no scale`);
      return mode === 'layer_norm' ? { kind: 'layer-norm', epsilon } : { kind: 'token-norm' };
    case 'expected_average_only_in':
    case true:
      return needScale(
        given,
        file,
        'normalize_activations is expected_average_only_in, whose factor SAELens does not ' +
          'save (norm_scaling_factor in its list of pretrained SAEs).',
      );
    default:
      throw new SaeEvalError(
        'sae-kind',
        `${file}: normalize_activations ${JSON.stringify(mode)} is not supported; expected ` +
          'none, layer_norm, constant_norm_rescale or expected_average_only_in.',
      );
  }
}

const leftOut: Bilingual = {
  en:
    'Special tokens were left out when this SAE was trained (exclude_special_tokens); here ' +
    'they count like others, and the first of a text often has a norm far above the rest.',
  zh: '该 SAE 训练时排除了特殊词元（exclude_special_tokens）；此处它们与其他词元一样计入，而文本首个词元的范数往往远大于其余。',
};

/**
 * SAELens casts the weights to the configuration's dtype; one wider than the file's changes
 * nothing.
 */
function roundingOf({ dtype }: Config, { entries }: Checkpoint): Pick<SaeDescription, 'roundedTo'> {
  const wanted = /^(?:torch\.)?(bfloat16|float16)$/.exec(dtype ?? '')?.[1] as
    'bfloat16' | 'float16' | undefined;
  const differs = ['W_enc', 'W_dec'].some((name) => entries.get(name)?.dtype !== wanted);
  return wanted === undefined || !differs ? {} : { roundedTo: wanted };
}

/**
 * `cfg.json` and the tensors beside it. @throws SaeEvalError `checkpoint-*`, `sae-kind`,
 * `sae-option`.
 */
export function describeSaelens(
  configPath: string,
  checkpoint: Checkpoint,
  given: GivenSettings,
): SaeDescription {
  const config = readConfig(configPath, schema);
  const tensors = new Tensors(checkpoint);
  const d = config.d_in;
  const m = config.d_sae ?? tensors.matrix('W_enc', '[d_in, d_sae]')[1];
  // SAELens itself passes over the flag where the tensor is not there.
  if (
    config.finetuning_scaling_factor &&
    ['scaling_factor', 'finetuning_scaling_factor'].some((name) => tensors.has(name))
  )
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: finetuning_scaling_factor is not supported.`,
    );
  if (/transcoder|crosscoder/i.test(config.architecture))
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: a ${config.architecture.slice(0, 60)}, which reconstructs another ` +
        'site than it reads; only autoencoders are evaluated.',
    );
  const activation = activationOf(config, tensors, m, given, configPath);
  const excluded = config.metadata?.exclude_special_tokens ?? config.meta?.exclude_special_tokens;
  return {
    form: 'sae',
    source: 'saelens',
    checkpoint,
    configPath,
    d,
    m,
    activation,
    encoder: tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: activation.kind === 'gated' ? null : tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: config.apply_b_dec_to_input,
    glu: null,
    centred:
      given.centred ??
      (
        config.metadata?.model_from_pretrained_kwargs ??
        config.meta?.model_from_pretrained_kwargs ??
        config.model_from_pretrained_kwargs
      )?.center_writing_weights === true,
    decoderNorm:
      activation.kind !== 'topk'
        ? 'none'
        : (config.sae_eval?.decoder_norm ??
          (config.rescale_acts_by_decoder_norm ? 'latents' : 'none')),
    normalization: normalizationOf(
      config.normalize_activations,
      config.layer_norm_epsilon ?? 1e-5,
      given,
      configPath,
    ),
    hookPoint:
      config.metadata?.hook_name ??
      config.meta?.hook_name ??
      config.hook_name ??
      config.hook_point ??
      null,
    hookPointFrom: 'config',
    ...roundingOf(config, checkpoint),
    notes: excluded === undefined || excluded === null || excluded === false ? [] : [leftOut],
  };
}
