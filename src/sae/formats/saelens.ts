/**
 * SAELens (github.com/decoderesearch/SAELens): `cfg.json` of version 6 and before,
 * `sae_weights.safetensors`.
 */
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { SaeEvalError } from '../../errors.js';
import type { Bilingual } from '../../schema/index.js';
import type { Activation, DictionaryForm, Normalization } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';

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
  k: z.number().nullish(), // checked for topk alone: batchtopk's is a mean
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

interface Source {
  config: z.infer<typeof schema>;
  tensors: Tensors;
  given: GivenSettings;
  file: string;
}

const unsupported = (file: string, what: string, value: unknown, expected: string): SaeEvalError =>
  new SaeEvalError(
    'sae-kind',
    `${file}: ${what} ${JSON.stringify(value)} is not supported; expected ${expected}.`,
  );

function activationOf({ config, tensors, given, file }: Source, m: number): Activation {
  const before6 = config.activation_fn_str ?? config.activation_fn ?? null;
  const architecture =
    config.architecture === 'standard' && before6 === 'topk' ? 'topk' : config.architecture;
  const signed = config.sae_eval?.keeps_negative === true ? { signed: true } : {};
  switch (architecture) {
    case 'standard':
      if (before6 !== null && before6 !== 'relu')
        throw unsupported(file, 'activation', before6, 'relu or topk');
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
      const tensor = tensors.threshold(log ? 'log_threshold' : 'threshold', m);
      return { kind: 'jumprelu', threshold: { tensor, log }, ...signed };
    }
    case 'topk': {
      const saved = config.k ?? config.activation_fn_kwargs?.k;
      return { kind: 'topk', k: given.k({ saved, m, where: 'cfg.json' }), ...signed };
    }
    default:
      throw unsupported(
        file,
        'SAELens architecture',
        architecture,
        'standard, gated, topk or jumprelu (batchtopk is saved as jumprelu)',
      );
  }
}

function normalizationOf({ config, given, file }: Source): Normalization {
  const mode = config.normalize_activations;
  switch (mode) {
    case null:
    case 'none':
    case false:
      return given.optionalScale({ kind: 'none' });
    case 'layer_norm':
    case 'constant_norm_rescale':
      given.refuse('scale', `normalize_activations is ${mode}, which needs no scale`);
      return mode === 'layer_norm'
        ? { kind: 'layer-norm', epsilon: config.layer_norm_epsilon ?? 1e-5 }
        : { kind: 'token-norm' };
    case 'expected_average_only_in':
    case true:
      return given.neededScale(
        'normalize_activations is expected_average_only_in, whose factor SAELens does not save ' +
          '(norm_scaling_factor in its list of pretrained SAEs).',
      );
    default:
      throw unsupported(
        file,
        'normalize_activations',
        mode,
        'none, layer_norm, constant_norm_rescale or expected_average_only_in',
      );
  }
}

const leftOut: Bilingual = {
  en:
    'This SAE was trained without special tokens (exclude_special_tokens). Here they count like ' +
    'others, and the first token of a text often has a norm far above the rest.',
  zh:
    '该 SAE 训练时排除了特殊词元（exclude_special_tokens）；此处它们与其他词元一样计入，' +
    '而文本首个词元的范数往往远大于其余。',
};

/**
 * SAELens casts the weights to the configuration's dtype; one wider than the file's changes
 * nothing.
 */
function roundingOf(
  { config }: Source,
  { entries }: Checkpoint,
): Pick<DictionaryForm, 'roundedTo'> {
  const wanted = /^(?:torch\.)?(bfloat16|float16)$/.exec(config.dtype ?? '')?.[1] as
    'bfloat16' | 'float16' | undefined;
  const differs = ['W_enc', 'W_dec'].some((name) => entries.get(name)?.dtype !== wanted);
  return wanted === undefined || !differs ? {} : { roundedTo: wanted };
}

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const file = configPath!;
  const config = readConfig(file, schema);
  const { metadata, meta } = config;
  const tensors = new Tensors(checkpoint);
  const source = { config, tensors, given, file };
  const d = config.d_in;
  const m = config.d_sae ?? tensors.matrix('W_enc', '[d_in, d_sae]')[1];
  // SAELens itself passes over the flag if the tensor is not there.
  const finetuned = ['scaling_factor', 'finetuning_scaling_factor'].some((name) =>
    tensors.has(name),
  );
  if (config.finetuning_scaling_factor && finetuned)
    throw new SaeEvalError('sae-kind', `${file}: finetuning_scaling_factor is not supported.`);
  if (/transcoder|crosscoder/i.test(config.architecture))
    throw new SaeEvalError(
      'sae-kind',
      `${file}: a ${config.architecture.slice(0, 60)}, which reconstructs another site than it ` +
        'reads; only autoencoders are evaluated.',
    );
  const activation = activationOf(source, m);
  const excluded = metadata?.exclude_special_tokens ?? meta?.exclude_special_tokens ?? false;
  const settings =
    metadata?.model_from_pretrained_kwargs ??
    meta?.model_from_pretrained_kwargs ??
    config.model_from_pretrained_kwargs;
  const rescaled = config.rescale_acts_by_decoder_norm ? 'latents' : 'none';
  const hook = metadata?.hook_name ?? meta?.hook_name ?? config.hook_name ?? config.hook_point;
  return {
    form: 'dictionary',
    d,
    m,
    activation,
    place: { over: 'hook point', named: hook ?? null, from: 'config' },
    encoder: tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: activation.kind === 'gated' ? null : tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: config.apply_b_dec_to_input,
    glu: null,
    centered: given.centered(
      settings?.center_writing_weights === true,
      'cfg.json: center_writing_weights',
    ),
    decoderNorm: activation.kind === 'topk' ? (config.sae_eval?.decoder_norm ?? rescaled) : 'none',
    normalization: normalizationOf(source),
    ...roundingOf(source, checkpoint),
    notes: excluded === false ? [] : [leftOut],
  };
}

export const saelens: Format = {
  name: 'saelens',
  folder: { weights: ['sae_weights.safetensors'], config: 'cfg.json' },
  describe,
};
