/** The Tensor class: a handle on one libtorch tensor, with every ATen operator that takes it first as a method. */
import { methodNames, type TensorMethods } from './generated/operators.js';
import { native } from './native.js';
import { operator } from './ops.js';

export type DType = 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int8' | 'uint8' | 'int16' | 'int32' | 'int64' | 'bool' | 'complex64' | 'complex128';
export type Scalar = number | bigint | boolean;
export type TensorData = Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Int32Array | BigInt64Array;
/** What `tensor` takes: rectangular. */
export type TensorInput = number | bigint | boolean | readonly TensorInput[];
export type NestedNumbers = number | bigint | NestedNumbers[];

export interface Tensor extends TensorMethods {
  readonly shape: number[];
  /** In elements, not bytes. */
  readonly strides: number[];
  readonly dtype: DType;
  /** `cpu` or `cuda:N`. */
  readonly device: string;
  readonly numel: number;
  readonly disposed: boolean;
  readonly requiresGrad: boolean;
  /** Drops this handle; the storage goes when its last handle goes. Calling it again does nothing, any other use throws `tensor-disposed`. */
  dispose(): void;
  [Symbol.dispose](): void;
  /** A copy on the CPU, row-major. float16 and bfloat16 come as Float32Array, bool as Uint8Array, int64 as BigInt64Array. */
  toTypedArray(): TensorData;
  /** A copy as nested arrays (a number for a tensor without dimensions); int64 as numbers where they are safe integers. */
  toArray(): NestedNumbers;
  /** The only element. */
  item(): number;
}

interface TensorClass {
  prototype: Tensor;
  [Symbol.hasInstance](value: unknown): value is Tensor;
}

/** For `instanceof`; tensors are made by `tensor`, `zeros`, `fromTypedArray`, operators and files. */
export const Tensor = native.Tensor as unknown as TensorClass;

const methods = Tensor.prototype as unknown as Record<string | symbol, unknown>;

for (const name of methodNames) {
  methods[name] = function (this: Tensor, ...args: unknown[]): unknown {
    return operator(name)(this, ...args);
  };
}

methods[Symbol.dispose] = function (this: Tensor): void {
  this.dispose();
};

methods['toArray'] = function (this: Tensor): NestedNumbers {
  const flat = this.toTypedArray();
  const shape = this.shape;
  let position = 0;
  const take = (dim: number): NestedNumbers => {
    if (dim < shape.length) return Array.from({ length: shape[dim]! }, () => take(dim + 1));
    const value = flat[position++]!;
    return typeof value === 'bigint' && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value;
  };
  return take(0);
};

/** Whether a value is a Tensor, disposed or not. */
export function isTensor(value: unknown): value is Tensor {
  return native.isTensor(value);
}
