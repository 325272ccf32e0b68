/** Tensors from JavaScript values. */
import { native } from './native.js';
import { ops } from './ops.js';
import { TorchError } from './errors.js';
import type { DType, Scalar, Tensor, TensorInput } from './tensor.js';

export interface TensorOptions {
  dtype?: DType;
  device?: string;
}

const typedArrayDtypes: readonly [new (length: number) => ArrayBufferView, DType][] = [
  [Float32Array, 'float32'], [Float64Array, 'float64'], [Int8Array, 'int8'], [Uint8Array, 'uint8'], [Uint8ClampedArray, 'uint8'],
  [Int16Array, 'int16'], [Int32Array, 'int32'], [BigInt64Array, 'int64'],
];

function dtypeOf(array: ArrayBufferView): DType {
  const found = typedArrayDtypes.find(([type]) => array instanceof type);
  if (!found) throw new TorchError('torch-argument', `fromTypedArray: no dtype holds a ${array.constructor.name}; use Float32Array, Float64Array, Int32Array, BigInt64Array, …`);
  return found[1];
}

function moved(made: Tensor, { dtype, device = 'cpu' }: TensorOptions): Tensor {
  if (device === 'cpu' && (dtype === undefined || dtype === made.dtype)) return made;
  const result = made.to({ device, dtype: dtype ?? made.dtype });
  made.dispose();
  return result;
}

/** A tensor with a copy of the array's elements; `shape` defaults to one dimension. */
export function fromTypedArray(array: ArrayBufferView, shape?: readonly number[], options: TensorOptions = {}): Tensor {
  const dtype = dtypeOf(array);
  return moved(native.fromBuffer(array, dtype, shape ?? [(array as Float32Array).length]), options);
}

/** A tensor from numbers in nested arrays: float32 unless `dtype` says otherwise; bigints make int64. */
export function tensor(data: TensorInput, options: TensorOptions = {}): Tensor {
  const shape: number[] = [];
  for (let level: unknown = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  const flat: (number | bigint | boolean)[] = [];
  const walk = (value: unknown, dim: number): void => {
    if (Array.isArray(value)) {
      if (dim >= shape.length || value.length !== shape[dim]) throw new TorchError('torch-argument', `tensor: expected ${shape[dim] ?? 'a number'} entries at depth ${dim}, found ${value.length}; nested arrays must be rectangular`);
      for (const item of value) walk(item, dim + 1);
    } else if (dim !== shape.length || (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'boolean')) {
      throw new TorchError('torch-argument', `tensor: expected numbers in rectangular nested arrays, found ${typeof value} at depth ${dim}`);
    } else flat.push(value);
  };
  walk(data, 0);
  if (flat.some((value) => typeof value === 'bigint')) {
    return moved(native.fromBuffer(BigInt64Array.from(flat, (value) => BigInt(value)), 'int64', shape), options);
  }
  const allBoolean = flat.length > 0 && flat.every((value) => typeof value === 'boolean');
  return moved(native.fromBuffer(Float64Array.from(flat, Number), 'float64', shape), { ...options, dtype: options.dtype ?? (allBoolean ? 'bool' : 'float32') });
}

export function zeros(shape: readonly number[], { dtype = 'float32', device = 'cpu' }: TensorOptions = {}): Tensor {
  return ops.zeros(shape, { dtype, device });
}

export function ones(shape: readonly number[], { dtype = 'float32', device = 'cpu' }: TensorOptions = {}): Tensor {
  return ops.ones(shape, { dtype, device });
}

/** Not initialised. */
export function empty(shape: readonly number[], { dtype = 'float32', device = 'cpu' }: TensorOptions = {}): Tensor {
  return ops.empty(shape, { dtype, device });
}

export function full(shape: readonly number[], value: Scalar, { dtype = 'float32', device = 'cpu' }: TensorOptions = {}): Tensor {
  return ops.full(shape, value, { dtype, device });
}

/** `0, 1, …, end − 1`. */
export function arange(end: number, { dtype = 'int64', device = 'cpu' }: TensorOptions = {}): Tensor {
  return ops.arange(end, { dtype, device });
}
