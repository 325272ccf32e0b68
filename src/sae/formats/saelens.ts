/**
 * SAELens (github.com/decoderesearch/SAELens): `cfg.json` of version 6 and before,
 * `sae_weights.safetensors`.
 */
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { readNumbers } from '../../checkpoint/scalar.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { SaeEvalError } from '../../errors.js';
import type { Bilingual } from '../../bilingual.js';
import type { Activation, DictionaryForm, Normalization, Weight } from '../description.js';
import type { GivenSettings } from '../given.js';
import { transcoding } from '../transcoding.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { excludedTokens, exclusionOf, keptSlice } from './positions.js';
import { vocabulary } from './saelens-vocabulary.js';
import { Tensors } from './tensors.js';

const size = z.int().positive();
const modelSettings = z
  .looseObject({
    center_writing_weights: z.boolean().nullish(),
    fold_value_biases: z.boolean().nullish(),
    refactor_factored_attn_matrices: z.boolean().nullish(),
  })
  .nullish();
/** What is said of the model and of the text: in `metadata`, before version 6 beside the rest. */
const ofTheModel = {
  hook_name: z.string().nullish(),
  hook_name_out: z.string().nullish(),
  hf_hook_name: z.string().nullish(),
  hf_hook_name_out: z.string().nullish(),
  model_from_pretrained_kwargs: modelSettings,
  exclude_special_tokens: excludedTokens,
  seqpos_slice: keptSlice,
  prepend_bos: z.boolean().nullish(),
  l0: z.unknown().optional(),
};
const metadata = z.looseObject(ofTheModel).nullish();
const schema = z.looseObject({
  architecture: z.string().default('standard'),
  d_in: size,
  d_sae: size.nullish(), // not in the oldest files
  d_out: size.nullish(),
  dtype: z.string().nullish(),
  apply_b_dec_to_input: z.boolean().nullish(),
  // Before version 3 a boolean said whether the average norm was scaled.
  normalize_activations: z.union([z.string(), z.boolean()]).nullable().default('none'),
  norm_scaling_factor: z.number().positive().nullish(),
  activation_normalization_factor: z.number().positive().nullish(),
  rescale_acts_by_decoder_norm: z.boolean().default(false),
  finetuning_scaling_factor: z.boolean().default(false),
  k: z.number().nullish(), // checked for topk alone: batchtopk's is a mean
  activation_fn_str: z.string().nullish(),
  activation_fn: z.string().nullish(),
  activation_fn_kwargs: z.looseObject({ k: size.optional() }).nullish(),
  hook_point: z.string().nullish(),
  hook_point_layer: z.int().nonnegative().nullish(),
  ...ofTheModel,
  metadata,
  meta: metadata,
  // Written by `sae-eval convert`: SAELens passes over what it does not know.
  layer_norm_epsilon: z.number().positive().max(1).optional(),
  sae_eval: z
    .looseObject({
      keeps_negative: z.boolean().optional(),
      decoder_norm: z.literal('selection').optional(),
      by_magnitude: z.boolean().optional(),
    })
    .optional(),
});

interface Source {
  config: z.infer<typeof schema>;
  tensors: Tensors;
  given: GivenSettings;
  file: string;
}

type OfModel = ReturnType<typeof ofModel>;

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
  const byMagnitude = config.sae_eval?.by_magnitude === true ? { byMagnitude: true } : {};
  if (before6 !== null && !['relu', 'topk'].includes(before6))
    throw unsupported(file, 'activation', before6, 'relu or topk');
  switch (architecture) {
    case 'standard':
    case 'transcoder':
    case 'skip_transcoder':
      return { kind: 'relu' };
    case 'gated':
      return {
        kind: 'gated',
        gateBias: tensors.vector('b_gate', [m]),
        magnitudeBias: tensors.vector('b_mag', [m]),
        logScale: tensors.vector('r_mag', [m]),
      };
    case 'jumprelu':
    case 'jumprelu_transcoder':
    case 'jumprelu_skip_transcoder': {
      const log = !tensors.has('threshold') && tensors.has('log_threshold');
      const tensor = tensors.threshold(log ? 'log_threshold' : 'threshold', m);
      return { kind: 'jumprelu', threshold: { tensor, log }, ...signed };
    }
    case 'topk': {
      const saved = config.k ?? config.activation_fn_kwargs?.k;
      const k = given.k({ saved, m, where: 'cfg.json' });
      return { kind: 'topk', k, ...signed, ...byMagnitude };
    }
    default:
      throw unsupported(
        file,
        'SAELens architecture',
        architecture,
        'standard, gated, topk, jumprelu (batchtopk is saved as jumprelu) or a transcoder',
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
    case 'constant_scalar_rescale':
    case true: {
      const factor = config.activation_normalization_factor ?? config.norm_scaling_factor ?? null;
      if (factor !== null) return given.optionalScale({ kind: 'scale', factor });
      return given.neededScale(
        `normalize_activations is ${mode === true ? 'expected_average_only_in' : mode}, whose ` +
          'factor the file does not hold (norm_scaling_factor in the list of pretrained SAEs).',
      );
    }
    default:
      throw unsupported(
        file,
        'normalize_activations',
        mode,
        'none, layer_norm, constant_norm_rescale, constant_scalar_rescale or ' +
          'expected_average_only_in',
      );
  }
}

/** What the file says of the model and the text, wherever its version says it. */
function ofModel({ metadata, meta, ...config }: Source['config']) {
  const word = <Key extends keyof typeof ofTheModel>(key: Key) =>
    metadata?.[key] ?? meta?.[key] ?? config[key];
  const l0 = word('l0');
  const hook = word('hook_name') ?? config.hook_point ?? null;
  const out = word('hook_name_out') || null;
  const isTranscoder = /transcoder/.test(config.architecture) || (out !== null && out !== hook);
  // SAELens writes TransformerLens' nearest name beside the module's: of what a transcoder reads,
  // that is another place.
  const named = (isTranscoder ? word('hf_hook_name') : null) || hook;
  return {
    // Files of version 1 leave the layer's place open.
    hook: named?.replace('{layer}', String(config.hook_point_layer ?? '{layer}')) ?? null,
    out: (isTranscoder ? word('hf_hook_name_out') : null) || out,
    isTranscoder,
    settings: word('model_from_pretrained_kwargs') ?? null,
    prependBos: word('prepend_bos') ?? null,
    published: typeof l0 === 'number' && l0 > 0 && l0 < Infinity ? { publishedL0: l0 } : {},
    exclusion: exclusionOf(word('exclude_special_tokens'), word('seqpos_slice')),
  };
}

/** Refuses SAEs that read something else than a site of the model as it is. */
function refuseOtherSites(
  { config, file }: Source,
  { hook, settings, isTranscoder }: OfModel,
): void {
  const { d_in: d, d_out: dOut } = config;
  const refuse = (what: string): never => {
    throw new SaeEvalError('sae-kind', `${file}: ${what}.`);
  };
  if (typeof dOut === 'number' && dOut !== d && !isTranscoder)
    refuse(
      `d_out ${dOut}: expected d_in, ${d}, of an autoencoder, or an architecture that is a ` +
        'transcoder',
    );
  if (isTranscoder && config.apply_b_dec_to_input === true)
    refuse(
      'apply_b_dec_to_input true: expected false, since the decoder bias of a transcoder belongs ' +
        'to another place than its input',
    );
  if (!hook?.endsWith('_z')) return;
  for (const setting of ['fold_value_biases', 'refactor_factored_attn_matrices'] as const)
    if (settings?.[setting] === true)
      refuse(
        `model_from_pretrained_kwargs.${setting} true is not supported at ${hook.slice(0, 60)}: ` +
          "it changes the heads' outputs",
      );
}

/** A factor of each latent that was trained afterwards; SAELens once wrote it all ones. */
function refuseFinetuned({ config, tensors, file }: Source): void {
  const name = ['scaling_factor', 'finetuning_scaling_factor'].find((one) => tensors.has(one));
  if (name === undefined) return; // SAELens passes over the flag without the tensor.
  const ones = readNumbers(tensors.checkpoint, name).every((one) => Math.abs(one - 1) < 1e-5);
  if (!ones || (config.finetuning_scaling_factor && name !== 'scaling_factor'))
    throw new SaeEvalError(
      'sae-kind',
      `${file}: finetuning_scaling_factor is not supported: latents that the tensor '${name}' ` +
        'multiplies.',
    );
}

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

/** The skip connection, which only architectures of that name have. */
function skipOf(
  { config, tensors, file }: Source,
  { d, dOut }: { d: number; dOut: number },
): Weight | null {
  if (/skip/.test(config.architecture)) return tensors.weight('W_skip', [dOut, d], 'transposed');
  if (!tensors.has('W_skip')) return null;
  throw new SaeEvalError(
    'checkpoint-keys',
    `${file}: architecture ${JSON.stringify(config.architecture.slice(0, 60))} has no skip ` +
      "connection, found a tensor 'W_skip': expected skip_transcoder or jumprelu_skip_transcoder.",
  );
}

const centeredOutput: Bilingual = {
  en:
    'It was trained on a model that TransformerLens centered (center_writing_weights): what it ' +
    'predicts lacks the mean over the width, which the errors against this model have.',
  zh:
    '训练所用模型经 TransformerLens 去均值（center_writing_weights）：其预测不含宽度方向的均值，' +
    '因而相对本模型的误差包含该均值。',
};

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const file = configPath!;
  const config = readConfig(file, schema);
  const tensors = new Tensors(checkpoint);
  const source = { config, tensors, given, file };
  const model = ofModel(config);
  refuseOtherSites(source, model);
  refuseFinetuned(source);
  const d = config.d_in;
  const m = config.d_sae ?? tensors.matrix('W_enc', '[d_in, d_sae]')[1];
  const activation = activationOf(source, m);
  const rescaled = config.rescale_acts_by_decoder_norm ? 'latents' : 'none';
  const dOut = model.isTranscoder ? (config.d_out ?? d) : d;
  const dictionary: FormatDescription & DictionaryForm = {
    form: 'dictionary',
    d,
    m,
    activation,
    place: { over: 'hook point', named: model.hook, from: 'config' },
    encoder: tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, dOut], 'as stored'),
    encoderBias: activation.kind === 'gated' ? null : tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [dOut]),
    subtractDecoderBias: config.apply_b_dec_to_input ?? !model.isTranscoder,
    glu: null,
    centered: given.centered(
      model.settings?.center_writing_weights === true,
      'cfg.json: center_writing_weights',
    ),
    decoderNorm: activation.kind === 'topk' ? (config.sae_eval?.decoder_norm ?? rescaled) : 'none',
    normalization: normalizationOf(source),
    ...roundingOf(source, checkpoint),
    ...model.exclusion,
    ...model.published,
    ...(model.prependBos === null ? {} : { prependBos: model.prependBos }),
    notes: [],
  };
  if (!model.isTranscoder) return dictionary;
  const skip = skipOf(source, { d, dOut });
  const notes = dictionary.centered ? [centeredOutput] : [];
  return transcoding({ ...dictionary, notes }, { dOut, out: model.out, skip });
}

export const saelens: Format = {
  name: 'saelens',
  folder: { weights: ['sae_weights.safetensors'], config: 'cfg.json' },
  vocabulary,
  describe,
};
