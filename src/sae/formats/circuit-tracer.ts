/**
 * Transcoders of circuit-tracer (github.com/decoderesearch/circuit-tracer), such as mwhanna's of
 * Qwen 3: `layer_L.safetensors` for each block, and one `config.yaml` that names the hook points of
 * a block.
 *
 *   z = relu(W_e x + b_e), JumpReLU with thresholds, or its k largest;  ŷ = W_dᵀ z + b_d + x
 * W_skipᵀ
 *
 * Encoder and decoder are both stored [m, d].
 */
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readScalar } from '../../checkpoint/scalar.js';
import { readYamlConfig, readYamlFile } from '../../checkpoint/yaml-file.js';
import { isThere } from '../../files/index.js';
import type { Activation, DictionaryForm } from '../description.js';
import type { GivenSettings } from '../given.js';
import { transcoding } from '../transcoding.js';
import { assumed, circuitTracerKeys, hooksSchema, inBlock } from './circuit-tracer-layers.js';
import { blockInName } from './file-name.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, Refused, type Vocabulary } from './vocabulary.js';

const schema = hooksSchema.extend({
  // Before the configuration of a repository there was one of paths.
  transcoders: z
    .array(z.looseObject({ layer: z.int().nonnegative(), filepath: z.string() }))
    .nullish(),
  k: z.int().positive().nullish(),
});

/** Records of the training run beside the weights; the first releases misspelled the name. */
const trainingRecords = ['wandb-config.yaml', 'wanb-config.yaml'];

const thresholdName = 'activation_function.threshold';

const vocabulary: Vocabulary = {
  keys: {
    ...circuitTracerKeys,
    transcoders: 'honored',
    k: 'honored',
    model_kind: new Refused('another kind of model', [null, 'transcoder_set', 'transcoder']),
  },
  tensors: {
    ...all('honored', 'W_enc', 'W_dec', 'b_enc', 'b_dec', 'W_skip', thresholdName),
    k: 'setting',
  },
};

/** The configuration in the folder of a file, if it names hook points. */
function configBeside(path: string): string | null {
  const config = join(dirname(resolve(path)), 'config.yaml');
  if (!isThere(config)) return null;
  let value: unknown;
  try {
    value = readYamlFile(config, { code: 'checkpoint-format' });
  } catch {
    // One that cannot be read is not passed over: describing the SAE says why.
    return config;
  }
  const { data } = schema.safeParse(value);
  // Else it is another library's.
  return data?.feature_input_hook || data?.feature_output_hook ? config : null;
}

function file(checkpoint: Checkpoint): FormatFile | null {
  const { format, entries } = checkpoint;
  const shapes = ['W_enc', 'W_dec'].map((name) => entries.get(name)?.shape ?? []);
  const [encoder, decoder] = shapes as [number[], number[]];
  const isOriented = encoder.length === 2 && String(encoder) === String(decoder);
  const isSquare = encoder[0] === encoder[1];
  if (format !== 'safetensors' || !isOriented) return null;
  const configPath = configBeside(checkpoint.path);
  // Shapes do not tell how a square encoder lies: what else is there does.
  const isKnown =
    configPath !== null ||
    !isSquare ||
    [thresholdName, 'W_skip'].some((name) => entries.has(name)) ||
    trainingRecords.some((name) => isThere(join(dirname(resolve(checkpoint.path)), name)));
  return isKnown ? { checkpoint, configPath } : null;
}

/** Block of a file, from 0, by the configuration or by its name; null if neither tells. */
function blockOf(path: string, transcoders: z.infer<typeof schema>['transcoders']): number | null {
  const name = basename(path);
  const listed = (transcoders ?? []).filter(({ filepath }) => basename(filepath) === name);
  if (listed.length === 1) return listed[0]!.layer;
  const inName = /(?:^|[_.-])layer[_-]?(\d{1,4})(?:\D|$)/i.exec(name)?.[1];
  return inName === undefined ? blockInName(path) : Number(inName);
}

function activationOf(
  tensors: Tensors,
  m: number,
  { given, k }: { given: GivenSettings; k: number | null },
): Activation {
  if (tensors.has(thresholdName))
    return {
      kind: 'jumprelu',
      threshold: { tensor: tensors.vector(thresholdName, [m], [1, m], [], [1]), log: false },
    };
  const saved = tensors.has('k') ? readScalar(tensors.checkpoint, 'k') : k;
  if (saved === null && given.fields.kind !== 'TopK' && given.fields.k === undefined)
    return { kind: 'relu' };
  return { kind: 'topk', k: given.k({ saved, m, where: 'the tensor `k` or config.yaml' }) };
}

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const config = configPath === null ? {} : readYamlConfig(configPath, schema);
  const reads = config.feature_input_hook ?? 'mlp.hook_in';
  const predicts = config.feature_output_hook ?? 'hook_mlp_out';
  given.refuse('scale', "circuit-tracer's transcoders read raw activations");
  const tensors = new Tensors(checkpoint);
  const [m, d] = tensors.matrix('W_enc', '[m, d]');
  const [, dOut] = tensors.matrix('W_dec', '[m, d]');
  const { layer } = given.fields;
  const block = layer === undefined ? blockOf(checkpoint.path, config.transcoders) : layer - 1;
  const dictionary: FormatDescription & DictionaryForm = {
    form: 'dictionary',
    d,
    m,
    place: {
      over: 'hook point',
      named: block === null ? null : inBlock(block, reads),
      from: 'path',
    },
    encoder: tensors.weight('W_enc', [m, d], 'transposed'),
    decoder: tensors.weight('W_dec', [m, dOut], 'as stored'),
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [dOut]),
    subtractDecoderBias: false,
    glu: null,
    centered: given.centered(),
    activation: activationOf(tensors, m, { given, k: config.k ?? null }),
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    notes: configPath === null ? [assumed(reads, predicts)] : [],
  };
  return transcoding(dictionary, {
    dOut,
    out: block === null ? null : inBlock(block, predicts),
    skip: tensors.has('W_skip') ? tensors.weight('W_skip', [dOut, d], 'transposed') : null,
  });
}

export const circuitTracer: Format = {
  name: 'circuit-tracer',
  vocabulary,
  file,
  describe,
};
