/** Weights of a language model, by name. */
import { openTensors } from '../checkpoint/tensors.js';
import { openWeights } from '../checkpoint/weights-file.js';
import { SaeEvalError } from '../errors.js';
import { PackedWeights, type DType, type MappedFile, type Tensor } from '../torch/index.js';
import type { StoredTensor, WeightFiles } from './weight-files.js';

export interface WeightOptions {
  device: string;
  dtype: DType;
}

/** Opens the weights of a model by name, checks and converts them, and owns them. */
export class Weights {
  readonly #taken = new Map<string, Tensor>();
  readonly #derived: Tensor[] = [];
  /** Files by path: a mapping for each of a thousand experts would be too many for the system. */
  readonly #mapped = new Map<string, MappedFile>();
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
    const tensor = this.#open(found, this.options);
    this.#taken.set(name, tensor);
    return tensor;
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
    this.#taken.set(name, weight);
    return weight;
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
  }

  /** Weight of that shape; null if it is not `present` in this model. */
  takeIf(present: boolean, name: string, shape: readonly number[]): Tensor | null {
    return present ? this.take(name, shape) : null;
  }

  /** Takes over and returns a tensor made from weights: a view, or a copy in another dtype. */
  own(derived: Tensor): Tensor {
    this.#derived.push(derived);
    return derived;
  }

  /** Number of elements in the weights taken so far. */
  get parameters(): number {
    return [...this.#taken.values()].reduce((sum, { numel }) => sum + numel, 0);
  }

  dispose(): void {
    this.finish();
    for (const tensor of [...this.#taken.values(), ...this.#derived]) tensor.dispose();
    this.#taken.clear();
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

  #open({ checkpoint, entry }: StoredTensor, options: Partial<WeightOptions>): Tensor {
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
