/**
 * Names of torch-js 0.14 (npm `@arition/torch-js`), so that its programs run unchanged: dtype
 * constants, `rand(2, 3)`, `Tensor.fromObject`, `toObject`, `free`, and the text of some errors.
 */
import { fromTypedArray, type TensorOptions } from './create.js';
import { TorchError } from './errors.js';
import type { Generator } from './generator.js';
import { ops } from './ops.js';
import { Tensor, type TensorData } from './tensor.js';

export const float32 = 'float32';
export const float64 = 'float64';
export const int32 = 'int32';

export interface ObjectTensor {
  data: TensorData;
  shape: number[];
}

/**
 * An error that programs for torch-js compare as a whole: its name, message and enumerable fields
 * are those of a plain Error; the code is not enumerable.
 */
export class PlainTorchError extends TorchError {
  constructor(message: string) {
    super('torch-argument', message);
    this.name = 'Error';
    for (const field of ['name', 'code', 'fields'])
      Object.defineProperty(this, field, { enumerable: false });
  }
}

export interface RandomOptions extends TensorOptions {
  generator?: Generator;
}

/**
 * Uniform random numbers in [0, 1): `rand([2, 3], { dtype })`, `rand(2, 3)`; `rand()` has no
 * dimensions.
 */
export function rand(shape: readonly number[], options?: RandomOptions): Tensor;
export function rand(...sizes: number[]): Tensor;
export function rand(...sizesAndOptions: [...number[], RandomOptions]): Tensor;
export function rand(...given: unknown[]): Tensor {
  const last = given.at(-1);
  const options =
    typeof last === 'object' && last !== null && !Array.isArray(last)
      ? (given.pop() as RandomOptions)
      : {};
  const shape = given.length === 1 && Array.isArray(given[0]) ? (given[0] as unknown[]) : given;
  if (!shape.every((size): size is number => typeof size === 'number'))
    throw new PlainTorchError('A number was expected');
  const { dtype = 'float32', device = 'cpu', generator } = options;
  return ops.rand(shape, { dtype, device, ...(generator === undefined ? {} : { generator }) });
}

/** A tensor with a copy of the data. */
function fromObject({ data, shape }: ObjectTensor): Tensor {
  return fromTypedArray(data, shape);
}

export interface TorchJsMethods {
  /** Shape, dtype and device. */
  toString(): string;
  /** A row-major copy of the elements, and the shape. */
  toObject(): ObjectTensor;
  /** Alias of `dispose`: drops this handle; views of the tensor stay valid. */
  free(): void;
}

Object.assign(Tensor, { fromObject });
Object.assign(Tensor.prototype, {
  toObject(this: Tensor): ObjectTensor {
    return { data: this.toTypedArray(), shape: this.shape };
  },
  free(this: Tensor): void {
    this.dispose();
  },
});
