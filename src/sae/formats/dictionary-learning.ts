/**
 * dictionary_learning (github.com/saprmarks/dictionary_learning): `ae.pt` and `config.json` with
 * `trainer.dict_class`.
 */
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Bilingual } from '../../schema/index.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readConfig } from '../../checkpoint/json-file.js';
import {
  ask,
  givenScale,
  needK,
  needScale,
  scaleOf,
  Tensors,
  type Activation,
  type GivenSettings,
  type Normalization,
  type SaeDescription,
} from '../description.js';
import { submoduleHookPoint } from './hook-point.js';
import { readScalar } from '../../checkpoint/scalar.js';

const size = z.int().positive();
const schema = z.looseObject({
  trainer: z.looseObject({
    dict_class: z.string(),
    activation_dim: size.nullish(),
    dict_size: size.nullish(),
    k: size.nullish(),
    layer: z.int().nonnegative().nullish(),
    submodule_name: z.string().nullish(),
  }),
});

/**
 * The library's configuration of a file called otherwise than `ae.pt`: backups are
 * `checkpoints/ae_1000.pt`, one folder below it.
 */
export function dictionaryLearningConfig(path: string): string | null {
  const here = dirname(path);
  const isOne = (configPath: string): boolean => {
    try {
      readConfig(configPath, z.looseObject({ trainer: z.looseObject({ dict_class: z.string() }) }));
      return true;
    } catch {
      return false;
    }
  };
  return (
    [here, ...(basename(here) === 'checkpoints' ? [dirname(here)] : [])]
      .map((folder) => join(folder, 'config.json'))
      .find(isOne) ?? null
  );
}

/**
 * A backup taken while training nests the SAE beside `norm_factor`, by which its input was divided.
 */
function normalizationOf(checkpoint: Checkpoint, given: GivenSettings): Normalization {
  const factor = checkpoint.values.get('norm_factor');
  const scale = givenScale(given, checkpoint.path);
  if (scale !== undefined) return scaleOf(scale, checkpoint.path);
  if (typeof factor === 'number' && factor > 0) return { kind: 'scale', factor: 1 / factor };
  if (checkpoint.prefix.startsWith('ae.') && factor !== null)
    return needScale(
      given,
      checkpoint.path,
      'a backup of a training run without a norm_factor that can be read.',
    );
  return { kind: 'none' };
}

/**
 * BatchTopK's threshold, which training sets late: below 0 it never did, and what stands for it
 * must be given.
 */
function batchActivation(tensors: Tensors, m: number, given: GivenSettings): Activation {
  const { checkpoint } = tensors;
  const name = tensors.vector('threshold', [], [1]);
  if (readScalar(checkpoint, name) >= 0)
    return { kind: 'jumprelu', threshold: { tensor: name, log: false } };
  if (given.theta !== undefined) return { kind: 'jumprelu', threshold: { value: given.theta } };
  if (given.inferK !== undefined) return { kind: 'topk', k: Math.min(given.inferK, m) };
  ask(
    given,
    'theta',
    checkpoint.path,
    'the threshold of this BatchTopK is below 0: training never set it. Give the request ' +
      'one `theta` (latents above it are kept) or one `inferK` (the k largest are).',
  );
  return { kind: 'relu' };
}

const normed: Bilingual = {
  en:
    'As dictionary_learning does when it loads, decoder rows were scaled to norm 1 and the ' +
    'encoder by their norms: reconstructions are the same, latents are larger by the norm.',
  zh: '与 dictionary_learning 加载时一样，解码器各行缩放到范数 1，编码器乘以该范数：重建不变，潜变量按该范数放大。',
};

/** @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeDictionaryLearning(
  configPath: string,
  checkpoint: Checkpoint,
  given: GivenSettings,
): SaeDescription {
  const { trainer } = readConfig(configPath, schema);
  const { dict_class: dictClass } = trainer;
  const tensors = new Tensors(checkpoint);
  const stored = tensors.has('W_enc')
    ? tensors.matrix('W_enc', '[d, m]')
    : tensors.matrix('encoder.weight', '[m, d]').toReversed();
  const d = trainer.activation_dim ?? stored[0]!;
  const m = trainer.dict_size ?? stored[1]!;
  const named = trainer.submodule_name ?? null;
  const layer = trainer.layer ?? null;
  const hookPoint =
    named !== null
      ? submoduleHookPoint(named)
      : layer === null
        ? null
        : `blocks.${layer}.hook_resid_post`;
  const linear = () => ({
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('decoder.weight', [d, m], 'transposed'),
  });
  const matrices = () => ({
    encoder: tensors.weight('W_enc', [d, m], 'as stored'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
  });
  // `bias` is what b_dec was called before.
  const withBias = () => ({
    ...linear(),
    encoderBias: tensors.vector('encoder.bias', [m]),
    decoderBias: tensors.vector(tensors.either('b_dec', 'bias'), [d]),
  });
  const common = {
    form: 'sae' as const,
    source: 'dictionary_learning' as const,
    checkpoint,
    configPath,
    d,
    m,
    hookPoint,
    glu: null,
    centred: given.centred === true,
    decoderNorm: 'none' as const,
    notes: [] as Bilingual[],
    // Without a submodule the layer is the output of a block by the library's own scripts, not by
    // the file's word.
    hookPointFrom: named === null ? ('path' as const) : ('config' as const),
    normalization: normalizationOf(checkpoint, given),
  };
  switch (dictClass) {
    case 'AutoEncoder':
      return {
        ...common,
        ...linear(),
        encoderBias: tensors.vector('encoder.bias', [m]),
        decoderBias: tensors.vector('bias', [d]),
        subtractDecoderBias: true,
        activation: { kind: 'relu' },
        decoderNorm: 'latents',
        notes: [normed],
      };
    case 'AutoEncoderNew':
      return {
        ...common,
        ...linear(),
        encoderBias: tensors.vector('encoder.bias', [m]),
        decoderBias: tensors.vector('decoder.bias', [d]),
        subtractDecoderBias: false,
        activation: { kind: 'relu' },
      };
    case 'GatedAutoEncoder':
      return {
        ...common,
        ...linear(),
        encoderBias: null,
        decoderBias: tensors.vector('decoder_bias', [d]),
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
        ...common,
        ...matrices(),
        subtractDecoderBias: false,
        activation: {
          kind: 'jumprelu',
          threshold: { tensor: tensors.threshold('threshold', m), log: false },
        },
      };
    case 'AutoEncoderTopK': {
      // The library takes the file's own; the configuration says the same.
      const k = tensors.has('k') ? readScalar(checkpoint, 'k') : trainer.k;
      return {
        ...common,
        ...withBias(),
        subtractDecoderBias: true,
        activation: { kind: 'topk', k: needK(given, k, m, configPath, 'trainer.k') },
      };
    }
    case 'BatchTopKSAE':
      return {
        ...common,
        ...withBias(),
        subtractDecoderBias: true,
        activation: batchActivation(tensors, m, given),
      };
    case 'MatryoshkaBatchTopKSAE':
      return {
        ...common,
        ...matrices(),
        subtractDecoderBias: true,
        activation: batchActivation(tensors, m, given),
      };
    default:
      throw new SaeEvalError(
        'sae-kind',
        `${configPath}: trainer.dict_class ${JSON.stringify(dictClass.slice(0, 60))} is ` +
          'not supported; expected AutoEncoder, AutoEncoderNew, GatedAutoEncoder, ' +
          'JumpReluAutoEncoder, AutoEncoderTopK, BatchTopKSAE or MatryoshkaBatchTopKSAE.',
      );
  }
}
