/** Tensors from JavaScript values. */
import { markAsUntransferable } from 'node:worker_threads';
import { native } from './native.js';
import { ops } from './ops.js';
import { TorchError } from './errors.js';
import type { Complex, DType, Scalar, Tensor, TensorInput } from './tensor.js';

export interface TensorOptions {
  dtype?: DType;
  device?: string;
}

const typedArrayDtypes: readonly [new (length: number) => ArrayBufferView, DType][] = [
  [Float32Array, 'float32'],
  [Float64Array, 'float64'],
  [Int8Array, 'int8'],
  [Uint8Array, 'uint8'],
  [Uint8ClampedArray, 'uint8'],
  [Int16Array, 'int16'],
  [Int32Array, 'int32'],
  [BigInt64Array, 'int64'],
  [Uint16Array, 'uint16'],
  [Uint32Array, 'uint32'],
  [BigUint64Array, 'uint64'],
];

function dtypeOf(array: ArrayBufferView): DType {
  const found = typedArrayDtypes.find(([type]) => array instanceof type);
  if (!found)
    throw new TorchError(
      'torch-argument',
      `fromTypedArray: no dtype holds a ${array.constructor.name}; use Float32Array, ` +
        'Float64Array, Int32Array, BigInt64Array, …',
    );
  return found[1];
}

const isComplex = (value: unknown): value is Complex =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as Complex).re === 'number' &&
  typeof (value as Complex).im === 'number';
const isElement = (value: unknown): value is number | bigint | boolean | Complex =>
  ['number', 'bigint', 'boolean'].includes(typeof value) || isComplex(value);

function moved(made: Tensor, { dtype, device = 'cpu' }: TensorOptions): Tensor {
  if (device === 'cpu' && (dtype === undefined || dtype === made.dtype)) return made;
  // The driver has copied memory that is not pinned before it returns, so that the host need not
  // wait for the device.
  const there = made.to({ device, nonBlocking: true });
  made.dispose();
  if (dtype === undefined || dtype === there.dtype) return there;
  const result = there.to({ dtype });
  there.dispose();
  return result;
}

export interface FromTypedArrayOptions extends TensorOptions {
  /**
   * Uses the array's own memory instead of a copy: both see what either writes. The array's buffer
   * lives as long as a tensor over it, and can no longer be transferred to another thread. The
   * buffer must not be resizable, shared between threads, or a WebAssembly memory's.
   */
  share?: boolean;
}

/** @throws TorchError unless the array lies over an ArrayBuffer of fixed size. */
function requireShareable(array: ArrayBufferView): void {
  const buffer = array.buffer as ArrayBuffer & { resizable?: boolean; detached?: boolean };
  const refuse = (found: string): never => {
    throw new TorchError(
      'torch-argument',
      "fromTypedArray: 'share' expects an array over an ArrayBuffer of fixed size, found " +
        `one over ${found}; leave 'share' out to copy`,
    );
  };
  if (!(buffer instanceof ArrayBuffer)) refuse('a SharedArrayBuffer');
  if (buffer.resizable === true) refuse('a resizable ArrayBuffer');
  if (buffer.detached === true) refuse('a detached ArrayBuffer');
}

/** Keeps a buffer in place: neither messages to other threads nor `transfer` can move it. */
function pin(buffer: ArrayBuffer): void {
  markAsUntransferable(buffer);
  const refused = (): never => {
    throw new TorchError('torch-argument', 'ArrayBuffer.transfer: a tensor lies over this buffer');
  };
  for (const name of ['transfer', 'transferToFixedLength'])
    Object.defineProperty(buffer, name, { value: refused, configurable: true });
}

/**
 * A tensor with a copy of the array's elements, or over them with `share`; `shape` defaults to one
 * dimension. For the bits of bfloat16 or float16, pass a Uint16Array and call `.view('bfloat16')`.
 * @throws TorchError `torch-argument` if shape and array differ in size, or the memory cannot be
 *   shared.
 * @example fromTypedArray(Float32Array.of(1, 2, 3, 4), [2, 2], { share: true })
 */
export function fromTypedArray(
  array: ArrayBufferView,
  shape?: readonly number[],
  { share = false, ...options }: FromTypedArrayOptions = {},
): Tensor {
  const dtype = dtypeOf(array);
  const sizes = shape ?? [(array as Float32Array).length];
  if (!share) {
    // JavaScript copies memory that other threads may write to.
    const own = array.buffer instanceof ArrayBuffer ? array : (array as Float32Array).slice();
    return moved(native().fromBuffer(own, dtype, sizes, false), options);
  }
  requireShareable(array);
  if ((options.device ?? 'cpu') !== 'cpu' || (options.dtype ?? dtype) !== dtype) {
    throw new TorchError(
      'torch-argument',
      `fromTypedArray: 'share' keeps the array's own dtype (${dtype}) on the CPU; leave ` +
        "'share' out to convert",
    );
  }
  const made = native().fromBuffer(array, dtype, sizes, true);
  pin(array.buffer as ArrayBuffer);
  return made;
}

export interface TensorFromDataOptions extends TensorOptions {
  /** Shape for a typed array; nested arrays have their own. */
  shape?: readonly number[];
}

/**
 * A tensor from nested arrays, or from a copy of a typed array in the given shape. Without `dtype`,
 * numbers make float32, booleans bool, bigints int64, `{ re, im }` complex64. {@link scalar} takes
 * single numbers.
 * @throws TorchError `torch-argument` for ragged arrays and foreign values.
 * @example tensor([[1, 2], [3, 4]], { dtype: 'bfloat16' })
 */
export function tensor(
  data: readonly TensorInput[] | ArrayBufferView,
  { shape: given, ...options }: TensorFromDataOptions = {},
): Tensor {
  if (ArrayBuffer.isView(data)) return fromTypedArray(data, given, options);
  if (!Array.isArray(data)) {
    const found =
      data === undefined
        ? "nothing (Cannot read properties of undefined (reading 'length'))"
        : `${typeof data}; scalar() and full() take single numbers`;
    throw new TorchError(
      'torch-argument',
      `tensor: Invalid argument: expected nested arrays or a typed array, found ${found}`,
    );
  }
  const shape: number[] = [];
  for (let level: unknown = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  const flat: (number | bigint | boolean | Complex)[] = [];
  const walk = (value: unknown, dim: number): void => {
    if (Array.isArray(value)) {
      if (dim >= shape.length || value.length !== shape[dim])
        throw new TorchError(
          'torch-argument',
          `tensor: expected ${shape[dim] ?? 'a number'} entries at depth ${dim}, found ` +
            `${value.length}; nested arrays must be rectangular`,
        );
      for (const item of value) walk(item, dim + 1);
    } else if (dim !== shape.length || !isElement(value)) {
      throw new TorchError(
        'torch-argument',
        `tensor: expected numbers in rectangular nested arrays, found ${typeof value} at ` +
          `depth ${dim}`,
      );
    } else flat.push(value);
  };
  walk(data, 0);
  if (flat.some(isComplex)) {
    const pairs = Float64Array.from(
      flat.flatMap((value) => (isComplex(value) ? [value.re, value.im] : [Number(value), 0])),
    );
    return moved(native().fromBuffer(pairs, 'complex128', shape, false), {
      ...options,
      dtype: options.dtype ?? 'complex64',
    });
  }
  if (flat.some((value) => typeof value === 'bigint')) {
    return moved(
      native().fromBuffer(
        BigInt64Array.from(flat, (value) => BigInt(value as number)),
        'int64',
        shape,
        false,
      ),
      options,
    );
  }
  const allBoolean = flat.length > 0 && flat.every((value) => typeof value === 'boolean');
  return moved(
    native().fromBuffer(Float64Array.from(flat as number[], Number), 'float64', shape, false),
    { ...options, dtype: options.dtype ?? (allBoolean ? 'bool' : 'float32') },
  );
}

/**
 * A tensor without dimensions. Without `dtype`, a number makes float32, a boolean bool, a bigint
 * int64.
 */
export function scalar(value: Scalar, options: TensorOptions = {}): Tensor {
  const made = tensor([value], options);
  const result = made.reshape([]);
  made.dispose();
  return result;
}

export function zeros(
  shape: readonly number[],
  { dtype = 'float32', device = 'cpu' }: TensorOptions = {},
): Tensor {
  return ops.zeros(shape, { dtype, device });
}

export function ones(
  shape: readonly number[],
  { dtype = 'float32', device = 'cpu' }: TensorOptions = {},
): Tensor {
  return ops.ones(shape, { dtype, device });
}

/** A tensor whose values are not initialized. */
export function empty(
  shape: readonly number[],
  { dtype = 'float32', device = 'cpu' }: TensorOptions = {},
): Tensor {
  return ops.empty(shape, { dtype, device });
}

export function full(
  shape: readonly number[],
  value: Scalar,
  { dtype = 'float32', device = 'cpu' }: TensorOptions = {},
): Tensor {
  return ops.full(shape, value, { dtype, device });
}

/** `0, 1, …, end − 1`. */
export function arange(
  end: number,
  { dtype = 'int64', device = 'cpu' }: TensorOptions = {},
): Tensor {
  return ops.arange(end, { dtype, device });
}
