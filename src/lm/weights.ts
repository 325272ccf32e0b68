/** A model folder's weight files: which there are, what their headers say, and their tensors. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readCheckpoint, type Checkpoint, type TensorEntry } from '../checkpoint/read.js';
import { openTensors } from '../checkpoint/tensors.js';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import type { DType, Tensor } from '../torch/index.js';
import { JsonFields } from './json-fields.js';

/** In the order they are looked for: one file, or an index of shards. */
const candidates = ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json'];

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

/** The shards an index names; they lie beside it. */
async function shardsOf(index: string, folder: string): Promise<string[]> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(index, 'utf8'));
  } catch (thrown) {
    if (thrown instanceof SyntaxError) throw new SaeEvalError('model-invalid', `${index}: expected JSON, found something else (${thrown.message}).`);
    throw asSaeEvalError(thrown, `The index ${index}`);
  }
  const map = JsonFields.from(json, index).section('weight_map');
  if (map === null) throw new SaeEvalError('model-invalid', `${index}: weight_map: expected an object from tensor names to files, found nothing.`);
  const names = new Set(map.names().map((name) => map.string(name)));
  for (const name of names) {
    if (name === '' || name.includes('/') || name.includes('\\') || name.includes('\0') || name === '..') {
      throw new SaeEvalError('model-invalid', `${index}: weight_map: expected names of files beside it, found ${JSON.stringify(name)}.`);
    }
  }
  return [...names].sort().map((name) => join(folder, name));
}

interface Stored {
  checkpoint: Checkpoint;
  entry: TensorEntry;
}

/** The tensors of a model folder by name, from headers alone. */
export class WeightFiles {
  private constructor(
    readonly folder: string,
    private readonly stored: ReadonlyMap<string, Stored>,
  ) {}

  /** @throws SaeEvalError `model-invalid` where there are no weights, `checkpoint-*`, `file-*`. */
  static async read(folder: string): Promise<WeightFiles> {
    for (const candidate of candidates) {
      const path = join(folder, candidate);
      if (!(await exists(path))) continue;
      const files = candidate.endsWith('.index.json') ? await shardsOf(path, folder) : [path];
      const stored = new Map<string, Stored>();
      for (const file of files) {
        const checkpoint = await readCheckpoint(file);
        for (const [name, entry] of checkpoint.entries) stored.set(name, { checkpoint, entry });
      }
      return new WeightFiles(folder, stored);
    }
    throw new SaeEvalError('model-invalid', `${folder}: expected weights in one of ${candidates.join(', ')}, found none of them.`);
  }

  find(name: string): Stored | null {
    return this.stored.get(name) ?? null;
  }
}

export interface WeightOptions {
  device: string;
  dtype: DType;
}

/** Hands out a model's weights, checked and in the wanted dtype; owns what it handed out. */
export class Weights {
  readonly #taken = new Map<string, Tensor>();
  readonly #derived: Tensor[] = [];

  /** @param prefix what precedes all names; files saved from the bare decoder lack it. */
  constructor(
    private readonly files: WeightFiles,
    private readonly prefix: string,
    readonly options: WeightOptions,
  ) {}

  has(name: string): boolean {
    return this.#find(name) !== null;
  }

  /** A tensor of exactly that shape. @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`. */
  take(name: string, shape: readonly number[]): Tensor {
    const taken = this.#taken.get(name);
    if (taken !== undefined) return taken;
    const found = this.#find(name);
    if (found === null) throw new SaeEvalError('checkpoint-keys', `${this.files.folder}: expected the tensor ${name} of shape [${shape.join(', ')}], found none of that name in the weight files.`);
    const { checkpoint, entry } = found;
    if (entry.shape.length !== shape.length || entry.shape.some((size, dim) => size !== shape[dim])) {
      throw new SaeEvalError('checkpoint-shape', `${checkpoint.path}: ${name}: expected shape [${shape.join(', ')}] by config.json, found [${entry.shape.join(', ')}].`);
    }
    const tensor = openTensors(checkpoint, { names: [entry.name], ...this.options }).get(entry.name)!;
    this.#taken.set(name, tensor);
    return tensor;
  }

  /** The same, or null where it is not `present`. */
  takeIf(present: boolean, name: string, shape: readonly number[]): Tensor | null {
    return present ? this.take(name, shape) : null;
  }

  /** Owns a tensor made of weights: a view, or a copy in another dtype. Returns it. */
  own(derived: Tensor): Tensor {
    this.#derived.push(derived);
    return derived;
  }

  get parameters(): number {
    return [...this.#taken.values()].reduce((sum, { numel }) => sum + numel, 0);
  }

  dispose(): void {
    for (const tensor of [...this.#taken.values(), ...this.#derived]) tensor.dispose();
    this.#taken.clear();
  }

  #find(name: string): Stored | null {
    return this.files.find(this.prefix + name) ?? this.files.find(name);
  }
}
