/**
 * The Tensor class: a handle on one libtorch tensor. Its methods are the ATen operators whose first
 * argument is a tensor.
 */
import { methodNames, type TensorMethods } from './generated/operators.js';
import type { AutogradMethods } from './autograd.js';
import type { CastMethods } from './casts.js';
import type { IndexingMethods } from './indexing.js';
import { adopt, isLoaded, native, onLoad } from './native.js';
import type { ObjectTensor, TorchJsMethods } from './torch-js.js';

export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'float8_e4m3fn'
  | 'float8_e5m2'
  | 'float8_e4m3fnuz'
  | 'float8_e5m2fnuz'
  | 'float8_e8m0fnu'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'
  | 'complex32'
  | 'complex64'
  | 'complex128'
  | 'qint8'
  | 'quint8'
  | 'qint32';
export type Layout =
  | 'strided'
  | 'sparse_coo'
  | 'sparse_csr'
  | 'sparse_csc'
  | 'sparse_bsr'
  | 'sparse_bsc'
  | 'mkldnn'
  | 'jagged';
export type MemoryFormat =
  'contiguous_format' | 'preserve_format' | 'channels_last' | 'channels_last_3d';
export interface Complex {
  re: number;
  im: number;
}
/** A whole number. */
export type Int = number | bigint;
export type Ints = readonly Int[] | Int32Array | Uint32Array | BigInt64Array;
export type Floats = readonly number[] | Float32Array | Float64Array;
export type Scalar = number | bigint | boolean | Complex;
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;
/** Argument of `tensor`: rectangular nested arrays. */
export type TensorInput = Scalar | readonly TensorInput[];
/** Result of `toArray`: booleans for a bool tensor, `{ re, im }` for a complex one. */
export type NestedNumbers = Scalar | NestedNumbers[];

export interface Tensor
  extends TensorMethods, IndexingMethods, CastMethods, AutogradMethods, TorchJsMethods {
  readonly shape: number[];
  /** Strides in elements, not bytes. */
  readonly strides: number[];
  readonly dtype: DType;
  /** `cpu` or `cuda:N`. */
  readonly device: string;
  readonly layout: Layout;
  readonly numel: number;
  readonly disposed: boolean;
  /** Whether gradients are recorded; may be set on leaves of a floating dtype. */
  requiresGrad: boolean;
  /**
   * The gradient that `backward` has added up, or null. Every read makes a new handle on it; it may
   * be set.
   */
  get grad(): Tensor | null;
  set grad(gradient: Tensor | null);
  /**
   * Drops this handle; the storage goes with its last handle. A second call does nothing; any other
   * use then throws `tensor-disposed`.
   */
  dispose(): void;
  [Symbol.dispose](): void;
  /**
   * A row-major copy on the CPU. bool is a Uint8Array, int64 a BigInt64Array, complex numbers are
   * pairs. 16 and 8 bit floats are a Float32Array or, with `raw`, their bits in a Uint16Array or
   * Uint8Array.
   */
  toTypedArray(options?: { raw?: boolean }): TensorData;
  /**
   * The tensor's own memory, without a copy, in the forms of `toTypedArray({ raw: true })`: both
   * see what either writes. The memory lives as long as the array, even if the tensor is disposed
   * of, and can no longer be resized in place.
   * @throws TorchError `torch-argument` unless the tensor is row-major and on the CPU.
   */
  asTypedArray(): TensorData;
  /**
   * A copy as nested arrays, or a number for a tensor without dimensions. bool gives booleans,
   * int64 numbers if they are safe integers, else bigints, complex `{ re, im }`.
   */
  toArray(): NestedNumbers;
  /**
   * The only element: a number, a boolean for a bool tensor, a bigint beyond 2^53, `{ re, im }` for
   * a complex one.
   */
  item<T extends Scalar = number>(): T;
}

interface TensorClass {
  prototype: Tensor;
  /** A tensor with a copy of the data, as torch-js makes it. */
  fromObject(object: ObjectTensor): Tensor;
  [Symbol.hasInstance](value: unknown): value is Tensor;
}

/**
 * For `instanceof`; tensors are made by `tensor`, `zeros`, `fromTypedArray`, operators and files.
 */
export const Tensor = class Tensor {
  constructor() {
    throw new TypeError(
      'Tensor cannot be constructed directly; use tensor(), zeros(), fromTypedArray() …',
    );
  }
} as unknown as TensorClass;
onLoad((addon) => adopt(addon.Tensor, Tensor));

const methods = Tensor.prototype as unknown as Record<string | symbol, unknown>;

/**
 * Methods that nobody has called, below the prototype. V8 keeps an object that is made without a
 * prototype as a hash table; it would lay out that of a class anew for every property, which takes
 * 80 ms for all of them.
 */
const uncalled = Object.create(null) as object;

/** Looks a method up when it is first read: a program uses few of the {@link methodNames}. */
function defineMethod(name: string): void {
  const settle = (value: unknown): void =>
    void Object.defineProperty(methods, name, { value, writable: true, configurable: true });
  Object.defineProperty(uncalled, name, {
    configurable: true,
    get: () => {
      const method = native().method(name);
      settle(method);
      return method;
    },
    set: settle,
  });
}
methodNames.forEach(defineMethod);
Object.setPrototypeOf(uncalled, Object.prototype);
Object.setPrototypeOf(methods, uncalled);

methods[Symbol.dispose] = function (this: Tensor): void {
  this.dispose();
};

methods['toArray'] = function (this: Tensor): NestedNumbers {
  const flat = this.toTypedArray();
  const shape = this.shape;
  const dtype = this.dtype;
  let position = 0;
  const take = (dim: number): NestedNumbers => {
    if (dim < shape.length) return Array.from({ length: shape[dim]! }, () => take(dim + 1));
    if (dtype.startsWith('complex'))
      return { re: flat[position++] as number, im: flat[position++] as number };
    const value = flat[position++]!;
    if (dtype === 'bool') return value === 1;
    return typeof value === 'bigint' &&
      BigInt(Number(value)) === value &&
      Number.isSafeInteger(Number(value))
      ? Number(value)
      : value;
  };
  return take(0);
};

/** Whether a value is a Tensor, disposed or not. */
export function isTensor(value: unknown): value is Tensor {
  return isLoaded() && native().isTensor(value);
}
