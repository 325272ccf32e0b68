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
import type { DictionaryForm, Normalization, Weight } from '../description.js';
import type { GivenSettings } from '../given.js';
import { transcoding } from '../transcoding.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { groupsOfWidths } from './groups.js';
import {
  activationOf,
  activationWords,
  unsupported,
  type ActivationSource,
} from './saelens-activation.js';
import { modelWords, ofModel, refuseOtherSites } from './saelens-model.js';
import { vocabulary } from './saelens-vocabulary.js';
import { temporalParts, temporalWords } from './temporal-parts.js';
import { Tensors } from './tensors.js';

const size = z.int().positive();
const schema = z.looseObject({
  d_in: size,
  d_sae: size.nullish(), // not in the oldest files
  d_out: size.nullish(),
  dtype: z.string().nullish(),
  apply_b_dec_to_input: z.boolean().nullish(),
  // Before version 3 a boolean said whether the average norm was scaled.
  normalize_activations: z.union([z.string(), z.boolean()]).nullable().default('none'),
  norm_scaling_factor: z.number().positive().nullish(),
  activation_normalization_factor: z.number().positive().nullish(),
  finetuning_scaling_factor: z.boolean().default(false),
  ...activationWords,
  ...temporalWords,
  ...modelWords,
  matryoshka_widths: z.unknown().optional(),
  // Written by `sae-eval convert`: SAELens passes over what it does not know.
  layer_norm_epsilon: z.number().positive().max(1).optional(),
});

interface Source extends ActivationSource {
  config: z.infer<typeof schema>;
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

/** Dtypes by the names that PyTorch has for them; null for those that round nothing. */
const dtypeNames = {
  float32: null,
  float: null,
  fp32: null,
  float64: null,
  double: null,
  bfloat16: 'bfloat16',
  bf16: 'bfloat16',
  float16: 'float16',
  half: 'float16',
  fp16: 'float16',
} as const;

/**
 * SAELens casts the weights to the configuration's dtype; one wider than the file's changes
 * nothing.
 */
function roundingOf(
  { config, file }: Source,
  { entries }: Checkpoint,
): Pick<DictionaryForm, 'roundedTo'> {
  const named = (config.dtype ?? 'float32').replace(/^torch\./, '');
  if (!Object.hasOwn(dtypeNames, named))
    throw new SaeEvalError(
      'sae-kind',
      `${file}: dtype ${JSON.stringify(named.slice(0, 60))} is not supported; expected ` +
        `${Object.keys(dtypeNames).join(', ')}.`,
    );
  const wanted = dtypeNames[named as keyof typeof dtypeNames];
  const matrices = ['W_enc', 'W_dec'].flatMap((name) => entries.get(name) ?? []);
  const differs = matrices.some(({ dtype }) => dtype !== wanted);
  return wanted === null || !differs ? {} : { roundedTo: wanted };
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
  refuseOtherSites(config, { file, ...model });
  refuseFinetuned(source);
  const d = config.d_in;
  const m = config.d_sae ?? tensors.matrix('W_dec', '[d_sae, d_out]')[0];
  const dOut = model.isTranscoder ? (config.d_out ?? d) : d;
  const common = {
    place: {
      over: 'hook point' as const,
      named: model.hook,
      from: 'config' as const,
      ...(model.head === null ? {} : { head: model.head }),
    },
    subtractDecoderBias: config.apply_b_dec_to_input ?? !model.isTranscoder,
    centered: given.centered(
      model.settings?.center_writing_weights === true,
      'cfg.json: center_writing_weights',
    ),
    normalization: normalizationOf(source),
    ...roundingOf(source, checkpoint),
    ...model.exclusion,
    ...model.published,
    ...(model.prependBos === null ? {} : { prependBos: model.prependBos }),
    ...groupsOfWidths(config.matryoshka_widths, { m, where: 'matryoshka_widths' }),
  };
  if (config.architecture === 'temporal') {
    const names = { encoder: 'W_enc', decoder: 'W_dec', bias: 'b_dec' };
    return { ...temporalParts(source, { d, m }, config, names), ...common };
  }
  const { activation, decoderNorm } = activationOf(source, { d, m });
  const isPursuit = activation.kind === 'matching-pursuit';
  // A pursuit adds its decoder bias only if it subtracts it.
  const hasBias = !isPursuit || common.subtractDecoderBias;
  const dictionary: FormatDescription & DictionaryForm = {
    form: 'dictionary',
    d,
    m,
    activation,
    encoder: isPursuit
      ? tensors.weight('W_dec', [m, d], 'transposed')
      : tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, dOut], 'as stored'),
    encoderBias: isPursuit || activation.kind === 'gated' ? null : tensors.vector('b_enc', [m]),
    decoderBias: hasBias ? tensors.vector('b_dec', [dOut]) : null,
    glu: null,
    decoderNorm,
    ...common,
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
