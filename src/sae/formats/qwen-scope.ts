/**
 * Qwen Scope (2026, SAEs of Qwen3 and Qwen3.5): one `.pt` for each block, such as
 * `SAE-Res-Qwen3-8B-Base-W64K-L0_50/layer12.sae.pt`; TopK followed by a ReLU on raw activations,
 * without a pre-bias. Only the names say k and the block.
 */
import { basename, resolve } from 'node:path';
import type { Checkpoint } from '../../checkpoint/read.js';
import type { GivenSettings } from '../given.js';
import { blockInName } from './file-name.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';
import { all, type Vocabulary } from './vocabulary.js';

const names = ['W_enc', 'W_dec', 'b_enc', 'b_dec'];

const vocabulary: Vocabulary = { keys: {}, tensors: all('honored', ...names) };

/** What the names say; null if neither the file nor a folder is named as published. */
interface PublishedNames {
  block: number | null;
  k: number | null;
  fromPath: { width?: string };
}

function readPath(path: string): PublishedNames | null {
  const isNamed = /^layer\d{1,4}\.sae\.[a-z]+$/.test(basename(path));
  // The cache of the hub has `models--Qwen--` before the name; a copy may keep its end alone.
  const published = /(?:^|[/\\]|-)W(\d{1,6}K)-L0_(\d{1,6})(?=[/\\])/gi;
  const [, width, k] = [...path.matchAll(published)].at(-1) ?? [];
  if (!isNamed && k === undefined) return null;
  return {
    block: blockInName(path.replace(/\.sae(?=\.[a-z]+$)/, '')),
    k: k === undefined ? null : Number(k),
    fromPath: width === undefined ? {} : { width },
  };
}

const publishedNames = ({ path }: Checkpoint): PublishedNames | null => readPath(resolve(path));

function describe({ checkpoint }: FormatFile, given: GivenSettings): FormatDescription {
  const { block, k: saved, fromPath } = publishedNames(checkpoint)!;
  given.refuse('scale', "Qwen Scope's SAEs read raw activations");
  const tensors = new Tensors(checkpoint);
  const [m, d] = tensors.matrix('W_enc', '[m, d]');
  return {
    form: 'dictionary',
    d,
    m,
    place: {
      over: 'hook point',
      named: block === null ? null : `blocks.${block}.hook_resid_post`,
      from: 'path',
    },
    encoder: tensors.weight('W_enc', [m, d], 'transposed'),
    decoder: tensors.weight('W_dec', [d, m], 'transposed'),
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: false,
    glu: null,
    centered: given.centered(),
    activation: {
      kind: 'topk',
      k: given.k({ saved, m, where: "the folder's name (…-L0_50: k = 50)" }),
    },
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    fromPath,
    notes: [],
  };
}

export const qwenScope: Format = {
  name: 'qwen-scope',
  vocabulary,
  // Others save tensors of these names too; the file's or the folder's name tells these apart.
  file: (checkpoint) =>
    names.every((name) => checkpoint.entries.has(name)) && publishedNames(checkpoint) !== null
      ? { checkpoint, configPath: null }
      : null,
  describe,
};
