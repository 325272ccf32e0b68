/**
 * Gemma Scope (arXiv:2408.05147): `layer_L/width_W/average_l0_N/params.npz`; JumpReLU without a
 * pre-bias. The transcoders have the same files, below a folder that says so.
 */
import { resolve } from 'node:path';
import type { Bilingual } from '../../schema/index.js';
import type { DictionaryForm } from '../description.js';
import type { GivenSettings } from '../given.js';
import { transcoding } from '../transcoding.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, type Vocabulary } from './vocabulary.js';

const vocabulary: Vocabulary = {
  keys: {},
  tensors: all('honored', 'W_enc', 'w_enc', 'W_dec', 'w_dec', 'b_enc', 'b_dec', 'threshold'),
};

/** Facts in the names of the folders; a repository is called …-res, …-att or …-mlp by its site. */
function readPath(path: string) {
  const part = (pattern: RegExp): string | undefined => pattern.exec(path)?.[1];
  const embedding = /[/\\]embedding[/\\]/.test(path);
  const block = part(/(?:^|[/\\])layer_(\d{1,4})[/\\]/);
  const site =
    part(/gemma-scope-[^/\\]*-(res|att|mlp)(?:$|[-/\\])/) ??
    part(/(?:^|[-_/\\])(res|att|mlp)(?:[-_][^/\\]*)?[/\\]layer_\d/);
  const width = part(/[/\\]width_([\w.]{1,16})[/\\]/);
  const averageL0 = part(/[/\\]average_l0_(\d{1,6})[/\\]/);
  const hook = site === 'att' ? 'attn.hook_z' : site === 'mlp' ? 'hook_mlp_out' : 'hook_resid_post';
  const inBlock = block === undefined ? null : `blocks.${block}.${hook}`;
  return {
    transcodes: /(?:^|[-_/\\])transcoders?(?:[-_][^/\\]*)?[/\\]layer_\d/.test(path),
    block,
    embedding,
    namesSite: embedding || site !== undefined || block === undefined,
    hookPoint: embedding ? 'hook_embed' : inBlock,
    fromPath: {
      ...(width === undefined ? {} : { width }),
      ...(averageL0 === undefined ? {} : { averageL0: Number(averageL0) }),
    },
  };
}

const residualAssumed: Bilingual = {
  en:
    'No folder of the path is called gemma-scope-…-res, -att or -mlp: it was taken for an SAE on ' +
    'the residual stream. If it is not, give `hook`.',
  zh: '路径中没有名为 gemma-scope-…-res、-att 或 -mlp 的文件夹：按残差流上的 SAE 处理。若不是，请给出 `hook`。',
};

function describe({ checkpoint }: FormatFile, given: GivenSettings): FormatDescription {
  const tensors = new Tensors(checkpoint);
  const path = resolve(checkpoint.path);
  given.refuse('scale', "Gemma Scope's SAEs read raw activations");
  const encoder = tensors.either('W_enc', 'w_enc');
  const [d, m] = tensors.matrix(encoder, '[d, m]');
  const { embedding, namesSite, hookPoint, fromPath, transcodes, block } = readPath(path);
  const isPlaced = given.fields.layer !== undefined || given.fields.hook !== undefined;
  // Trained on embeddings before Gemma multiplies them by √d: the weights make up for it, the bias
  // does not.
  const scaled = (factor: number): { factor?: number } => (embedding ? { factor } : {});
  const dictionary: FormatDescription & DictionaryForm = {
    form: 'dictionary',
    d,
    m,
    place: { over: 'hook point', named: hookPoint, from: 'path' },
    encoder: { ...tensors.weight(encoder, [d, m], 'as stored'), ...scaled(1 / Math.sqrt(d)) },
    decoder: {
      ...tensors.weight(tensors.either('W_dec', 'w_dec'), [m, d], 'as stored'),
      ...scaled(Math.sqrt(d)),
    },
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: false,
    glu: null,
    centered: given.centered(),
    activation: {
      kind: 'jumprelu',
      threshold: { tensor: tensors.threshold('threshold', m), log: false },
    },
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    fromPath,
    ...(fromPath.averageL0 ? { publishedL0: fromPath.averageL0 } : {}),
    notes: namesSite || isPlaced || transcodes ? [] : [residualAssumed],
  };
  if (!transcodes) return dictionary;
  // They read the residual stream normalized, before the norm's weight.
  const inBlock = (name: string): string | null => (block ? `blocks.${block}.${name}` : null);
  const place = {
    over: 'hook point',
    named: inBlock('ln2.hook_normalized'),
    from: 'path',
  } as const;
  return transcoding({ ...dictionary, place }, { dOut: d, out: inBlock('hook_mlp_out') });
}

export const gemmaScope: Format = {
  name: 'gemma-scope',
  vocabulary,
  file: (checkpoint) => (checkpoint.format === 'npz' ? { checkpoint, configPath: null } : null),
  describe,
};
