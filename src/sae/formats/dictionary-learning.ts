/**
 * dictionary_learning (github.com/saprmarks/dictionary_learning): `ae.pt` and `config.json` with
 * `trainer.dict_class`. Backups taken while training are `checkpoints/ae_1000.pt`, one folder below
 * the configuration.
 */
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { readNumbers, readScalar } from '../../checkpoint/scalar.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { SaeEvalError } from '../../errors.js';
import type { Bilingual } from '../../schema/index.js';
import type { Activation, DictionaryForm, Normalization } from '../description.js';
import type { GivenSettings } from '../given.js';
import { transcoding } from '../transcoding.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { groupsOfSizes } from './groups.js';
import { exclusionOf } from './positions.js';
import { Tensors } from './tensors.js';
import { all, Refused, type Vocabulary } from './vocabulary.js';

const size = z.int().positive();
const schema = z.looseObject({
  trainer: z.looseObject({
    dict_class: z.string(),
    activation_dim: size.nullish(),
    dict_size: size.nullish(),
    k: size.nullish(),
    layer: z.int().nonnegative().nullish(),
    submodule_name: z.string().nullish(),
    group_sizes: z.unknown().optional(),
  }),
  buffer: z
    .looseObject({
      io: z.string().nullish(),
      remove_bos: z.boolean().nullish(),
      add_special_tokens: z.boolean().nullish(),
    })
    .nullish(),
});

const trainer = {
  ...all('honored', 'dict_class', 'activation_dim', 'dict_size', 'k', 'layer', 'submodule_name'),
  ...all('harmless', 'trainer_class', 'lm_name', 'wandb_name', 'device', 'seed', 'steps', 'lr'),
  ...all('harmless', 'warmup_steps', 'decay_start', 'resample_steps', 'sparsity_warmup_steps'),
  ...all('harmless', 'lambda_warm_steps', 'auxk_alpha', 'top_k_aux', 'threshold_beta'),
  ...all('harmless', 'threshold_start_step', 'l1_penalty', 'sparsity_penalty', 'target_l0'),
  ...all('harmless', 'sparsity_coefficient', 'sparsity_function', 'bandwidth', 'p_start'),
  ...all('harmless', 'p_end', 'anneal_start', 'anneal_end', 'sparsity_queue_length'),
  ...all('harmless', 'sparsity_loss_queue_length', 'n_sparsity_updates'),
  ...all('harmless', 'steps_before_annealing', 'adaptive_sparsity_penalty'),
  group_sizes: 'honored',
  ...all('harmless', 'group_fractions', 'group_weights', 'weights_temperature'),
  // Multiplied into the weights when they are saved.
  norm_factor: 'harmless',
} as const;

const vocabulary: Vocabulary = {
  keys: {
    trainer,
    buffer: {
      io: new Refused('an unknown side of the submodule', [null, 'out', 'in', 'in_and_out']),
      ...all('honored', 'remove_bos', 'add_special_tokens'),
      ...all('harmless', 'd_submodule', 'n_ctxs', 'ctx_len', 'refresh_batch_size'),
      ...all('harmless', 'out_batch_size', 'device'),
    },
  },
  tensors: {
    ...all('honored', 'encoder.weight', 'encoder.bias', 'decoder.weight', 'decoder.bias'),
    ...all('honored', 'bias', 'W_enc', 'W_dec', 'b_enc', 'b_dec', 'decoder_bias', 'gate_bias'),
    ...all('honored', 'mag_bias', 'r_mag', 'W_skip'),
    // A TopK has a threshold too, which it uses in training alone.
    ...all('setting', 'threshold', 'k', 'group_sizes'),
  },
  values: { norm_factor: 'honored', ...all('harmless', 'step', 'config.*', 'optimizer.*') },
};

/** A backup with the configuration beside it or one folder above, or null. */
function backup(checkpoint: Checkpoint): FormatFile | null {
  const path = resolve(checkpoint.path);
  if (!/^ae_\w+\.pt$/.test(basename(path))) return null;
  const here = dirname(path);
  const folders = basename(here) === 'checkpoints' ? [here, dirname(here)] : [here];
  for (const folder of folders) {
    const configPath = join(folder, 'config.json');
    try {
      readConfig(configPath, schema);
      return { checkpoint, configPath };
    } catch {
      // Another library's configuration, or none.
    }
  }
  return null;
}

/**
 * The name of a hook point for the library's own (`resid_post_layer_12`); others stay as they are.
 */
function hookPointOf(submodule: string): string {
  const found = /^(resid_post|attn_out|mlp_out|resid_pre|resid_mid)_layer_(\d{1,4})$/.exec(
    submodule,
  );
  return found === null ? submodule : `blocks.${found[2]}.hook_${found[1]}`;
}

/** The side of a submodule that was collected; of both, the one that is read. */
function sideOf(submodule: string, side: string): string | null {
  if (side === 'out') return hookPointOf(submodule);
  // The library's own names are of outputs.
  return hookPointOf(submodule) === submodule ? `${submodule}.input` : null;
}

/** A backup nests the SAE beside `norm_factor`, the number that its input was divided by. */
function normalizationOf(checkpoint: Checkpoint, given: GivenSettings): Normalization {
  const factor = checkpoint.values.get('norm_factor');
  if (typeof factor === 'number' && factor > 0)
    return given.optionalScale({ kind: 'scale', factor: 1 / factor });
  if (checkpoint.prefix.startsWith('ae.') && factor !== null)
    return given.neededScale('A backup of a training run without a norm_factor that can be read.');
  return given.optionalScale({ kind: 'none' });
}

/** BatchTopK's threshold. Training sets it late: below 0 it was never set. */
function batchActivation(tensors: Tensors, m: number, given: GivenSettings): Activation {
  const name = tensors.vector('threshold', [], [1]);
  if (readScalar(tensors.checkpoint, name) >= 0)
    return { kind: 'jumprelu', threshold: { tensor: name, log: false } };
  const { theta, inferK } = given.fields;
  if (theta !== undefined) return { kind: 'jumprelu', threshold: { value: theta } };
  if (inferK !== undefined) return { kind: 'topk', k: Math.min(inferK, m) };
  given.ask(
    'theta',
    'the threshold of this BatchTopK is below 0: training never set it. Give the request one ' +
      '`theta` (latents above it are kept) or one `inferK` (the k largest are).',
  );
  return { kind: 'relu' };
}

const normed: Bilingual = {
  en:
    'Decoder rows were scaled to norm 1 and encoder rows by the same norms, as ' +
    'dictionary_learning ' +
    'does when it loads: reconstructions stay the same, latents grow by the norm.',
  zh:
    '与 dictionary_learning 加载时一样，解码器各行缩放到范数 1，编码器乘以该范数：重建不变，' +
    '潜变量按该范数放大。',
};

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const { trainer, buffer } = readConfig(configPath!, schema);
  const { dict_class: dictClass, submodule_name: submodule, layer } = trainer;
  const tensors = new Tensors(checkpoint);
  const stored = tensors.has('W_enc')
    ? tensors.matrix('W_enc', '[d, m]')
    : tensors.matrix('encoder.weight', '[m, d]').toReversed();
  const d = trainer.activation_dim ?? stored[0]!;
  const m = trainer.dict_size ?? stored[1]!;
  // `b_dec` was called `bias` before.
  const linear = (bias: string) => ({
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
    decoderBias: tensors.vector(bias, [d]),
  });
  const withBias = (bias: string) => ({
    ...linear(bias),
    encoderBias: tensors.vector('encoder.bias', [m]),
  });
  const matrices = () => ({
    encoder: tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
  });
  const bias = tensors.either('b_dec', 'bias');
  type Own = Pick<
    DictionaryForm,
    'encoder' | 'decoder' | 'encoderBias' | 'decoderBias' | 'subtractDecoderBias' | 'activation'
  >;
  const own = ((): Own & {
    decoderNorm?: 'latents';
    groups?: readonly number[];
    notes?: readonly Bilingual[];
  } => {
    switch (dictClass) {
      case 'AutoEncoder':
        return {
          ...withBias('bias'),
          subtractDecoderBias: true,
          activation: { kind: 'relu' },
          decoderNorm: 'latents',
          notes: [normed],
        };
      case 'AutoEncoderNew':
        return {
          ...withBias('decoder.bias'),
          subtractDecoderBias: false,
          activation: { kind: 'relu' },
        };
      case 'GatedAutoEncoder':
        return {
          ...linear('decoder_bias'),
          encoderBias: null,
          subtractDecoderBias: true,
          activation: {
            kind: 'gated',
            gateBias: tensors.vector('gate_bias', [m]),
            magnitudeBias: tensors.vector('mag_bias', [m]),
            logScale: tensors.vector('r_mag', [m]),
          },
        };
      case 'JumpReluAutoEncoder':
        return {
          ...matrices(),
          subtractDecoderBias: false,
          activation: {
            kind: 'jumprelu',
            threshold: { tensor: tensors.threshold('threshold', m), log: false },
          },
        };
      case 'AutoEncoderTopK': {
        // The library takes the file's own k; the configuration says the same.
        const saved = tensors.has('k') ? readScalar(checkpoint, 'k') : trainer.k;
        const k = given.k({ saved, m, where: 'trainer.k' });
        return {
          ...withBias(bias),
          subtractDecoderBias: true,
          activation: { kind: 'topk', k },
        };
      }
      case 'BatchTopKSAE':
        return {
          ...withBias(bias),
          subtractDecoderBias: true,
          activation: batchActivation(tensors, m, given),
        };
      case 'MatryoshkaBatchTopKSAE':
        return {
          ...matrices(),
          subtractDecoderBias: true,
          activation: batchActivation(tensors, m, given),
          // The library takes the tensor; the configuration says the same.
          ...groupsOfSizes(
            tensors.has('group_sizes')
              ? readNumbers(checkpoint, 'group_sizes')
              : trainer.group_sizes,
            { m, where: 'group_sizes' },
          ),
        };
      default:
        throw new SaeEvalError(
          'sae-kind',
          `${configPath}: trainer.dict_class ${JSON.stringify(dictClass.slice(0, 60))} is not ` +
            'supported; expected AutoEncoder, AutoEncoderNew, GatedAutoEncoder, ' +
            'JumpReluAutoEncoder, AutoEncoderTopK, BatchTopKSAE or MatryoshkaBatchTopKSAE.',
        );
    }
  })();
  // A layer without a submodule is the output of a block by the library's scripts alone.
  const blockOutput = typeof layer === 'number' ? `blocks.${layer}.hook_resid_post` : null;
  const side = buffer?.io ?? 'out';
  const dictionary: FormatDescription & DictionaryForm = {
    form: 'dictionary',
    d,
    m,
    place: submodule
      ? { over: 'hook point', named: sideOf(submodule, side), from: 'config' }
      : { over: 'hook point', named: side === 'out' ? blockOutput : null, from: 'path' },
    glu: null,
    centered: given.centered(),
    decoderNorm: 'none',
    normalization: normalizationOf(checkpoint, given),
    // Without a BOS the library leaves out the first token.
    ...exclusionOf(buffer?.remove_bos),
    ...(buffer?.add_special_tokens === false ? { prependBos: false } : {}),
    notes: [],
    ...own,
  };
  const hasSkip = tensors.has('W_skip');
  if (hasSkip && side !== 'in_and_out')
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: buffer.io ${JSON.stringify(side.slice(0, 60))}: expected no ` +
        "tensor 'W_skip', which belongs to transcoders (in_and_out), found one.",
    );
  if (side !== 'in_and_out') return dictionary;
  return transcoding(dictionary, {
    dOut: d,
    out: submodule ? sideOf(submodule, 'out') : null,
    skip: hasSkip ? tensors.weight('W_skip', [d, d], 'transposed') : null,
  });
}

export const dictionaryLearning: Format = {
  name: 'dictionary_learning',
  folder: { weights: ['ae.pt'], config: 'config.json' },
  vocabulary,
  file: backup,
  describe,
};
