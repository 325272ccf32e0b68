/** Weights of a language model, by name. */
import { itemBytes } from '../checkpoint/dtypes.js';
import { extentBytes } from '../checkpoint/entries.js';
import { openTensors } from '../checkpoint/tensors.js';
import { openWeights } from '../checkpoint/weights-file.js';
import { SaeEvalError } from '../errors.js';
import {
  fromTypedArray,
  keep,
  ops,
  PackedWeights,
  scope,
  type DType,
  type MappedFile,
  type Tensor,
} from '../torch/index.js';
import type { FileRange } from './read-ahead.js';
import type { StoredTensor, WeightFiles } from './weight-files.js';

export interface WeightOptions {
  device: string;
  dtype: DType;
}

/**
 * Bytes of a range that were read already, after `before` bytes of any content; null if they were
 * not.
 */
export type BytesRead = (range: FileRange, before: number) => Uint8Array | null;

/** Alignment of a new tensor's memory. */
const alignment = 64;

/** A tensor of the files, as a block needs it. */
export interface OpenedTensor {
  stored: StoredTensor;
  options: Partial<WeightOptions>;
}

/** Names, ranges and derived tensors of what is being built. */
interface Building {
  names: string[];
  ranges: FileRange[];
  opened: OpenedTensor[];
  derived: Tensor[];
  bytesRead: BytesRead;
}

/** Something that was built of weights. */
export interface Built<T> {
  value: T;
  /** Where in the files they lie. */
  ranges: readonly FileRange[];
  opened: readonly OpenedTensor[];
  letGo: () => void;
}

const parkedName = ({ checkpoint, entry }: StoredTensor, { dtype }: Partial<WeightOptions>) =>
  `${checkpoint.path}\0${entry.name}\0${dtype ?? ''}`;

/** Opens the weights of a model by name, checks and converts them, and owns them. */
export class Weights {
  readonly #taken = new Map<string, Tensor>();
  readonly #derived = new Set<Tensor>();
  /** Elements of all weights that were ever taken, by name. */
  readonly #sizes = new Map<string, number>();
  #building: Building | null = null;
  /** Whether shapes alone are checked: what is taken has no values. */
  #isRehearsal = false;
  /** Files by path: a mapping for each of a thousand experts would be too many for the system. */
  readonly #mapped = new Map<string, MappedFile>();
  /** Copies that other devices hold, by {@link parkedName}. */
  readonly #parked = new Map<string, Tensor>();
  /** Packed copies of the weights, kept while several calls of a layer share them. */
  readonly packed = new PackedWeights();

  /** @param prefixes prefixes that the names may have in the files. */
  constructor(
    private readonly files: WeightFiles,
    private readonly prefixes: readonly string[],
    readonly options: WeightOptions,
  ) {}

  /**
   * Weight of exactly that shape. A second call gives the same tensor.
   * @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`.
   */
  take(name: string, shape: readonly number[]): Tensor {
    const taken = this.#taken.get(name);
    if (taken !== undefined) return taken;
    const found = this.#checked(name, shape);
    const { checkpoint, entry } = found;
    if (!/^b?float/.test(entry.dtype))
      throw new SaeEvalError(
        'checkpoint-shape',
        `${checkpoint.path}: ${name}: expected float32, float16, bfloat16 or float64, ` +
          `found ${entry.dtype}: quantized weights are not supported.`,
      );
    return this.#hold(name, this.#open(found, this.options));
  }

  /**
   * Bytes of exactly that shape, such as quantized weights are made of. The caller disposes them.
   * @throws SaeEvalError `checkpoint-keys`, `checkpoint-shape`.
   */
  bytes(name: string, shape: readonly number[]): Tensor {
    const found = this.#checked(name, shape);
    const { checkpoint, entry } = found;
    if (entry.dtype !== 'uint8')
      throw new SaeEvalError(
        'checkpoint-shape',
        `${checkpoint.path}: ${name}: expected uint8, found ${entry.dtype}.`,
      );
    return this.#open(found, { device: this.options.device });
  }

  /** Takes over and returns a weight that was made of others, under a name of its own. */
  put(name: string, weight: Tensor): Tensor {
    return this.#hold(name, weight);
  }

  /**
   * Builds something of weights, of which `letGo` frees those that it alone was built of, and what
   * was made of them.
   * @param bytesRead bytes of the files that are in memory; default none.
   */
  building<T>(build: () => T, bytesRead: BytesRead = () => null): Built<T> {
    const parts: Building = { names: [], ranges: [], opened: [], derived: [], bytesRead };
    const letGo = (): void => {
      for (const name of parts.names.splice(0)) {
        this.#taken.get(name)?.dispose();
        this.#taken.delete(name);
      }
      for (const tensor of parts.derived.splice(0)) {
        tensor.dispose();
        this.#derived.delete(tensor);
      }
    };
    this.#building = parts;
    try {
      return { value: build(), ranges: parts.ranges, opened: parts.opened, letGo };
    } catch (thrown) {
      letGo();
      throw thrown;
    } finally {
      this.#building = null;
    }
  }

  /** Checks names and shapes of what is built, without reading a weight. */
  rehearse(build: () => unknown): Pick<Built<unknown>, 'ranges' | 'opened'> {
    this.#isRehearsal = true;
    try {
      const { ranges, opened, letGo } = this.building(build);
      letGo();
      return { ranges, opened };
    } finally {
      this.#isRehearsal = false;
    }
  }

  /**
   * Brings tensors into the memory of another device, from which they are copied when they are
   * opened. The numbers are the same.
   * @throws SaeEvalError `device-memory` if they do not fit; nothing is left there then.
   */
  park(tensors: readonly OpenedTensor[], device: string): void {
    const names: string[] = [];
    try {
      for (const { stored, options } of tensors) {
        const name = parkedName(stored, options);
        if (this.#parked.has(name)) continue;
        this.#parked.set(name, keep(this.#open(stored, { ...options, device })));
        names.push(name);
      }
    } catch (thrown) {
      for (const name of names) {
        this.#parked.get(name)?.dispose();
        this.#parked.delete(name);
      }
      throw thrown;
    }
  }

  /** Ends what only the taking of weights needs. */
  finish(): void {
    for (const file of this.#mapped.values()) file.close();
    this.#mapped.clear();
  }

  has(name: string): boolean {
    return this.#find(name) !== null;
  }

  /** Frees a weight that was taken and is not needed. */
  release(name: string): void {
    this.#taken.get(name)?.dispose();
    this.#taken.delete(name);
    this.#sizes.delete(name);
  }

  /** Weight of that shape; null if it is not `present` in this model. */
  takeIf(present: boolean, name: string, shape: readonly number[]): Tensor | null {
    return present ? this.take(name, shape) : null;
  }

  /** Takes over and returns a tensor made from weights: a view, or a copy in another dtype. */
  own(derived: Tensor): Tensor {
    // A block may be built inside a scope.
    this.#derived.add(keep(derived));
    this.#building?.derived.push(derived);
    return derived;
  }

  /** Number of elements in the weights taken so far. */
  get parameters(): number {
    return [...this.#sizes.values()].reduce((sum, numel) => sum + numel, 0);
  }

  #hold(name: string, weight: Tensor): Tensor {
    this.#taken.set(name, keep(weight));
    this.#sizes.set(name, weight.numel);
    this.#building?.names.push(name);
    return weight;
  }

  dispose(): void {
    this.finish();
    for (const tensor of [...this.#taken.values(), ...this.#derived, ...this.#parked.values()])
      tensor.dispose();
    this.#parked.clear();
    this.#taken.clear();
    this.#derived.clear();
  }

  #checked(name: string, shape: readonly number[]): StoredTensor {
    const found = this.#find(name);
    if (found === null)
      throw new SaeEvalError(
        'checkpoint-keys',
        `${this.files.folder}: expected the tensor ${name} of shape [${shape.join(', ')}], ` +
          'found none of that name in the weight files.',
      );
    const { checkpoint, entry } = found;
    if (
      entry.shape.length !== shape.length ||
      entry.shape.some((size, dim) => size !== shape[dim])
    ) {
      throw new SaeEvalError(
        'checkpoint-shape',
        `${checkpoint.path}: ${name}: expected shape [${shape.join(', ')}] by config.json, ` +
          `found [${entry.shape.join(', ')}].`,
      );
    }
    return found;
  }

  #open(stored: StoredTensor, options: Partial<WeightOptions>): Tensor {
    const { checkpoint, entry } = stored;
    const { shape, strides, dtype } = entry;
    const range = {
      path: entry.file ?? checkpoint.path,
      from: entry.byteOffset,
      length: extentBytes(shape, strides, dtype),
    };
    this.#building?.ranges.push(range);
    this.#building?.opened.push({ stored, options });
    if (this.#isRehearsal)
      return ops.empty(shape, { dtype: options.dtype ?? dtype, device: 'meta' });
    const parked = this.#parked.get(parkedName(stored, options));
    if (parked !== undefined) return parked.to({ device: options.device ?? 'cpu' });
    const isPlain = entry.deflated === undefined && entry.weightNorm === undefined;
    // Kernels may round by the place of numbers in a vector: it is that of a mapped tensor, which
    // the binding copies if it does not lie at a whole number.
    const before = range.from % itemBytes[dtype] === 0 ? range.from % alignment : 0;
    const bytes = isPlain ? this.#building?.bytesRead(range, before) : null;
    if (bytes)
      return scope(() => {
        const { device = 'cpu' } = options;
        const read = fromTypedArray(bytes)
          .narrow(0, before, range.length)
          .view(dtype)
          .as_strided(shape, strides);
        // The device converts, not the host.
        const there = read.to({ device });
        return options.dtype === undefined ? there : there.to({ dtype: options.dtype });
      });
    let file = this.#mapped.get(checkpoint.path);
    if (file === undefined)
      this.#mapped.set(checkpoint.path, (file = openWeights(checkpoint.path)));
    return openTensors(checkpoint, { names: [entry.name], file, ...options }).get(entry.name)!;
  }

  #find(name: string): StoredTensor | null {
    for (const prefix of [...this.prefixes, '']) {
      const found = this.files.find(prefix + name);
      if (found !== null) return found;
    }
    return null;
  }
}
