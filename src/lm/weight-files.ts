/** Weight files of a model folder: the tensors in them by name, read from the headers. */
import { join } from 'node:path';
import { areWeightsRead } from '../checkpoint/weights-file.js';
import { readCheckpoint, type Checkpoint, type TensorEntry } from '../checkpoint/read.js';
import { SaeEvalError } from '../errors.js';
import { isThere } from '../files/index.js';
import type { ModelConfig } from './config.js';
import { JsonFields } from './json-fields.js';

/** Weight files, the preferred one first: one file, or an index of shards. */
const candidates = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

/** Files of the shards that an index names. They lie beside it. */
function shardsOf(index: string, folder: string): string[] {
  const map = JsonFields.read(index, { code: 'model-invalid' })?.section('weight_map') ?? null;
  if (map === null)
    throw new SaeEvalError(
      'model-invalid',
      `${index}: weight_map: expected an object from tensor names to files, found nothing.`,
    );
  const names = new Set(map.names().map((name) => map.fileName(name)));
  return [...names].sort().map((name) => join(folder, name));
}

/** Weight files of a model folder, with the index that names them; none if it has no weights. */
export function weightPaths(folder: string): { index: string | null; files: readonly string[] } {
  for (const candidate of candidates) {
    const path = join(folder, candidate);
    if (!isThere(path)) continue;
    return candidate.endsWith('.index.json')
      ? { index: path, files: shardsOf(path, folder) }
      : { index: null, files: [path] };
  }
  return { index: null, files: [] };
}

export interface StoredTensor {
  checkpoint: Checkpoint;
  entry: TensorEntry;
}

/** Shape that a tensor of bytes has when it is widened; none for the factors of others. */
function widenedShape(name: string, shape: readonly number[]): readonly number[] {
  if (name.endsWith('_scales')) return [0];
  return name.endsWith('_blocks') ? [...shape.slice(0, -1), 2 * shape.at(-1)!] : shape;
}

/** Tensors of a model folder by name. Only headers are read. */
export class WeightFiles {
  private constructor(
    readonly folder: string,
    private readonly stored: ReadonlyMap<string, StoredTensor>,
  ) {}

  /** @throws SaeEvalError `model-invalid` if there are no weights, `checkpoint-*`, `file-*`. */
  static async read(folder: string): Promise<WeightFiles> {
    const { files } = weightPaths(folder);
    if (files.length === 0)
      throw new SaeEvalError(
        'model-invalid',
        `${folder}: expected weights in one of ${candidates.join(', ')}, found none of them.`,
      );
    const stored = new Map<string, StoredTensor>();
    for (const file of files) {
      const checkpoint = await readCheckpoint(file);
      for (const [name, entry] of checkpoint.entries) stored.set(name, { checkpoint, entry });
    }
    return new WeightFiles(folder, stored);
  }

  find(name: string): StoredTensor | null {
    return this.stored.get(name) ?? null;
  }

  /** Names and shapes of all tensors; of packed ones those that they are widened to. */
  *shapes(): Iterable<[name: string, shape: readonly number[]]> {
    for (const [name, { entry }] of this.stored)
      yield [name, entry.dtype === 'uint8' ? widenedShape(name, entry.shape) : entry.shape];
  }

  /** Whether weights in that dtype are pages of the files, which the system can take back. */
  areMapped({ device, dtype }: { device: string; dtype: string }): boolean {
    return device === 'cpu' && this.stores(dtype) && !areWeightsRead(this.folder);
  }

  /** Whether every tensor is stored in that dtype. */
  stores(dtype: string): boolean {
    return [...this.stored.values()].every(({ entry }) => entry.dtype === dtype);
  }
}

/** Bytes of one element of a floating dtype. */
export function bytesPer(dtype: string): number {
  return dtype === 'float64' ? 8 : dtype === 'float32' ? 4 : 2;
}

/**
 * Whether a weight belongs to another part of the file than the text model: images and sounds of a
 * multimodal model, or the layers that predict several tokens at once.
 */
export const isBesideText = (name: string): boolean => besideText.test(name);

const besideText = new RegExp(
  '(^|\\.)(vision_tower|vision_model|visual|audio_tower|multi_modal_projector|connector|mtp)\\.',
);

/** Index of a tensor's block in its name, from 0. */
const blockName = /(?:^|\.)(?:layers|h)\.(\d+)\./;

/**
 * Block that a tensor belongs to, from 0, by a name such as `model.layers.3.mlp.up_proj.weight` or
 * `h.3.attn.c_attn.weight`; null if it belongs to none.
 */
export function blockOf(name: string): number | null {
  const found = blockName.exec(name)?.[1];
  return found === undefined ? null : Number(found);
}

export interface ModelSize {
  parameters: number;
  /** Bytes of all of them in a dtype. */
  bytes: number;
  /** Bytes of those outside the blocks: embedding, final norm, head. */
  endBytes: number;
  /** Bytes of the largest block. */
  blockBytes: number;
}

/** Size of the weights that loading a model would use, from the headers alone. */
export function modelSize(
  files: WeightFiles,
  { tiedHead, layers }: Pick<ModelConfig, 'tiedHead' | 'layers'>,
  dtype: string,
): ModelSize {
  // A tied head and other parts than the text model may be stored too; they are not loaded.
  const skip = (name: string): boolean =>
    (tiedHead && /(^|\.)(lm_head|embed_out)\.weight$/.test(name)) || isBesideText(name);
  const blocks = new Map<number, number>();
  let ends = 0;
  for (const [name, shape] of files.shapes()) {
    if (skip(name)) continue;
    const numbers = shape.reduce((product, size) => product * size, 1);
    const block = blockOf(name);
    if (block === null || block >= layers) ends += numbers;
    else blocks.set(block, (blocks.get(block) ?? 0) + numbers);
  }
  const each = bytesPer(dtype);
  const parameters = [...blocks.values()].reduce((sum, numbers) => sum + numbers, ends);
  return {
    parameters,
    bytes: parameters * each,
    endBytes: ends * each,
    blockBytes: Math.max(0, ...blocks.values()) * each,
  };
}
