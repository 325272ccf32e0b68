/** A language model's tensors, handed out by name. */
import { openTensors } from '../checkpoint/tensors.js';
import { SaeEvalError } from '../errors.js';
import { PackedWeights, type DType, type Tensor } from '../torch/index.js';
import type { StoredTensor, WeightFiles } from './weight-files.js';

export interface WeightOptions {
  device: string;
  dtype: DType;
}

/** Hands out a model's weights, checked and in the wanted dtype; owns what it handed out. */
export class Weights {
  readonly #taken = new Map<string, Tensor>();
  readonly #derived: Tensor[] = [];
  /** Packed copies of the weights, kept while several calls of a layer share them. */
  readonly packed = new PackedWeights();

  /** @param prefixes what may precede the names; files saved from the bare decoder have none. */
  constructor(
    private readonly files: WeightFiles,
    private readonly prefixes: readonly string[],
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
    if (!/^b?float/.test(entry.dtype))
      throw new SaeEvalError(
        'checkpoint-shape',
        `${checkpoint.path}: ${name}: expected float32, float16, bfloat16 or float64, ` +
          `found ${entry.dtype}: quantized weights are not supported.`,
      );
    const tensor = openTensors(checkpoint, { names: [entry.name], ...this.options }).get(
      entry.name,
    )!;
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

  #find(name: string): StoredTensor | null {
    for (const prefix of [...this.prefixes, '']) {
      const found = this.files.find(prefix + name);
      if (found !== null) return found;
    }
    return null;
  }
}
