/** Reads small tensors of a checkpoint, without libtorch. */
import { SaeEvalError } from '../errors.js';
import type { DType } from '../torch/tensor.js';
import { FileBytes } from './file-bytes.js';
import { inflateEntry } from './npz.js';
import type { Checkpoint } from './read.js';
import { itemBytes } from './dtypes.js';

/** Value of a float16 from its bits (IEEE 754 binary16). */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Number of a dtype at a place of the bytes; null for dtypes without numbers. */
function numberAt(view: DataView, at: number, dtype: DType): number | null {
  switch (dtype) {
    case 'float32':
      return view.getFloat32(at, true);
    case 'float64':
      return view.getFloat64(at, true);
    case 'float16':
      return half(view.getUint16(at, true));
    case 'bfloat16': {
      const widened = new DataView(new ArrayBuffer(4));
      widened.setUint16(2, view.getUint16(at, true), true);
      return widened.getFloat32(0, true);
    }
    case 'int64':
      return Number(view.getBigInt64(at, true));
    case 'int32':
      return view.getInt32(at, true);
    case 'int16':
      return view.getInt16(at, true);
    case 'int8':
      return view.getInt8(at);
    case 'uint8':
    case 'bool':
      return view.getUint8(at);
    default:
      return null;
  }
}

/** A vector has at most so many elements. */
const mostElements = 2 ** 24;

/**
 * Elements of a tensor of at most one dimension, one after the other in the file.
 * @throws SaeEvalError `checkpoint-keys` if there is no tensor of that name, `checkpoint-shape` if
 *   it has more dimensions, a stride, or a dtype without numbers.
 */
export function readNumbers({ path, entries }: Checkpoint, name: string): number[] {
  const entry = entries.get(name);
  if (entry === undefined)
    throw new SaeEvalError(
      'checkpoint-keys',
      `${path}: expected a tensor '${name}', found none of that name.`,
    );
  const { dtype, shape, strides } = entry;
  const [count = 1] = shape;
  const wrong = (expected: string, found: string): SaeEvalError =>
    new SaeEvalError('checkpoint-shape', `${path}: expected ${expected}, found ${found}.`);
  if (shape.length > 1 || count > mostElements || (count > 1 && strides[0] !== 1))
    throw wrong(`'${name}' to hold a row of numbers`, `shape [${shape.join(', ')}]`);
  const size = itemBytes[dtype];
  const bytes =
    entry.deflated === undefined
      ? FileBytes.with(path, (file) => file.read(entry.byteOffset, count * size))
      : inflateEntry(path, entry).subarray(0, count * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, count * size);
  return Array.from({ length: count }, (_, i) => {
    const value = numberAt(view, i * size, dtype);
    if (value === null) throw wrong(`numbers in '${name}'`, dtype);
    return value;
  });
}

/**
 * Element of a tensor of shape [] or [1].
 * @throws SaeEvalError `checkpoint-keys` if there is no tensor of that name, `checkpoint-shape` if
 *   it has more elements or a dtype without numbers.
 */
export function readScalar(checkpoint: Checkpoint, name: string): number {
  const shape = checkpoint.entries.get(name)?.shape ?? [];
  if (shape.length > 1 || shape.some((size) => size !== 1))
    throw new SaeEvalError(
      'checkpoint-shape',
      `${checkpoint.path}: expected '${name}' to hold one number, found shape ` +
        `[${shape.join(', ')}].`,
    );
  return readNumbers(checkpoint, name)[0]!;
}

/**
 * Positive number in a tensor of shape [] or [1].
 * @throws SaeEvalError as {@link readScalar}; `checkpoint-format` if it is not positive.
 */
export function readPositive(checkpoint: Checkpoint, name: string): number {
  const value = readScalar(checkpoint, name);
  if (Number.isFinite(value) && value > 0) return value;
  throw new SaeEvalError(
    'checkpoint-format',
    `${checkpoint.path}: expected a positive number in '${name}', found ${value}.`,
  );
}
