/**
 * sparsify (github.com/EleutherAI/sparsify): `<hookpoint>/cfg.json` and `sae.safetensors`; the k
 * largest of max(a, 0). Files of summer 2024 may say `signed`: the k largest magnitudes, no ReLU.
 * With `transcode` it predicts the output of a module from its input, with `skip_connection` plus
 * x W_skipᵀ.
 */
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readNumbers } from '../../checkpoint/scalar.js';
import { SaeEvalError } from '../../errors.js';
import type { DictionaryForm } from '../description.js';
import type { GivenSettings } from '../given.js';
import { transcoding } from '../transcoding.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, Refused, type Vocabulary } from './vocabulary.js';

const schema = z.looseObject({
  d_in: z.int().positive(),
  k: z.int().positive(),
  num_latents: z.int().nonnegative().default(0),
  expansion_factor: z.int().positive().default(32),
  activation: z.string().default('topk'),
  signed: z.boolean().nullable().default(false),
  transcode: z.boolean().default(false),
  skip_connection: z.boolean().default(false),
});

const afterChoice = new Refused('latents that are changed after the choice');
const encoderOfItsOwn = new Refused('an encoder of another kind than one matrix');

const vocabulary: Vocabulary = {
  keys: {
    ...all('honored', 'd_in', 'k', 'num_latents', 'expansion_factor', 'activation', 'signed'),
    ...all('honored', 'transcode', 'skip_connection'),
    // Settings of training: a loss, a constraint on the weights, starting values, a way to compute.
    ...all('harmless', 'normalize_decoder', 'multi_topk', 'auxk_alpha', 'pkm_init_scale'),
    ...all('harmless', 'decoder_xformers', 'optimized_encoder_config', 'train_post_encoder'),
    // Encoders of the project's branches: their files have the same two names.
    ...all(encoderOfItsOwn, 'encoder_halut', 'encoder_pkm', 'encoder_mpnet', 'encoder_kron'),
    ...all(encoderOfItsOwn, 'encoder_monarch', 'monet', 'matching_pursuit', 'ito', 'mp_encoder'),
    normalize_io: new Refused('inputs and outputs that were scaled before training'),
    normalize_activations: new Refused('inputs that were scaled before training'),
    normalize_encoder: new Refused('encoder rows that are scaled when it computes'),
    tied_decoder: new Refused('a decoder that is the encoder, without a matrix in the file'),
    post_encoder_scale: new Refused('latents that are scaled after the choice'),
    coalesce_topk: new Refused('latents of several layers together', [null, 'none', false]),
    topk_coalesced: new Refused('latents of several layers together'),
    divide_cross_layer: new Refused('a decoder of several layers'),
    n_targets: new Refused('a decoder of several layers', [null, 0, 1]),
    n_sources: new Refused('an encoder of several layers', [null, 0, 1]),
  },
  tensors: {
    ...all('honored', 'encoder.weight', 'encoder.bias', 'W_dec', 'b_dec'),
    W_skip: 'honored',
    ...all('setting', 'post_enc', 'post_enc_scale'),
    ...all(afterChoice, 'post_encs*', 'post_enc_scales*'),
  },
};

/**
 * A transcoder reads what goes into its module and predicts what comes out of it. A folder that is
 * not named for a module tells neither.
 */
function sidesOf(hookPoint: string): [reads: string, predicts: string | null] {
  if (!/^\w+(?:\.\w+)*\.\d+(?:\.\w+)*$/.test(hookPoint)) return [hookPoint, null];
  const module = hookPoint.replace(/\.(?:input|output)$/, '');
  return [`${module}.input`, `${module}.output`];
}

/** Refuses changes of the latents after the choice. Files have them even if untrained. */
function refusePostEncoder(checkpoint: Checkpoint): void {
  for (const [name, idle] of [
    ['post_enc', 0],
    ['post_enc_scale', 1],
  ] as const)
    if (
      checkpoint.entries.has(name) &&
      readNumbers(checkpoint, name).some((value) => value !== idle)
    )
      throw new SaeEvalError(
        'sae-kind',
        `${checkpoint.path}: the tensor '${name}' is not supported: ${afterChoice.why}; expected ` +
          `${idle} for each latent.`,
      );
}

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const { k: saved, activation, transcode, ...config } = readConfig(configPath!, schema);
  const d = config.d_in;
  const m = config.num_latents === 0 ? d * config.expansion_factor : config.num_latents;
  if (activation !== 'topk')
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: activation ${JSON.stringify(activation.slice(0, 60))} is not supported; ` +
        'expected topk.',
    );
  if (config.skip_connection && !transcode)
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: skip_connection true is not supported without transcode: expected a ` +
        'transcoder.',
    );
  refusePostEncoder(checkpoint);
  given.refuse('scale', "sparsify's SAEs read raw activations");
  const tensors = new Tensors(checkpoint);
  if (tensors.has('W_skip') && !config.skip_connection)
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: skip_connection false: expected no tensor 'W_skip', found one.`,
    );
  const k = given.k({ saved, m, where: 'cfg.json' });
  const named = basename(dirname(resolve(configPath!)));
  const dictionary: FormatDescription & DictionaryForm = {
    form: 'dictionary',
    d,
    m,
    place: { over: 'hook point', named, from: 'path' },
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: tensors.vector('encoder.bias', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: !transcode,
    glu: null,
    centered: given.centered(),
    activation: { kind: 'topk', k, ...(config.signed === true ? { byMagnitude: true } : {}) },
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    notes: [],
  };
  if (!transcode) return dictionary;
  const [reads, out] = sidesOf(named);
  return transcoding(
    { ...dictionary, place: { over: 'hook point', named: reads, from: 'path' } },
    {
      dOut: d,
      out,
      skip: config.skip_connection ? tensors.weight('W_skip', [d, d], 'transposed') : null,
    },
  );
}

export const sparsify: Format = {
  name: 'sparsify',
  folder: { weights: ['sae.safetensors'], config: 'cfg.json' },
  vocabulary,
  describe,
};
