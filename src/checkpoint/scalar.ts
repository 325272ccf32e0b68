/** Reads a tensor of one number from a checkpoint, without libtorch. */
import { SaeEvalError } from '../errors.js';
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

/**
 * Element of a tensor of shape [] or [1].
 * @throws SaeEvalError `checkpoint-keys` if there is no tensor of that name, `checkpoint-shape` if
 *   it has more elements or a dtype without numbers.
 */
export function readScalar({ path, entries }: Checkpoint, name: string): number {
  const entry = entries.get(name);
  if (entry === undefined)
    throw new SaeEvalError(
      'checkpoint-keys',
      `${path}: expected a tensor '${name}', found none of that name.`,
    );
  if (entry.shape.length > 1 || entry.shape.some((size) => size !== 1))
    throw new SaeEvalError(
      'checkpoint-shape',
      `${path}: expected '${name}' to hold one number, found shape [${entry.shape.join(', ')}].`,
    );
  const length = itemBytes[entry.dtype];
  const bytes =
    entry.deflated === undefined
      ? FileBytes.with(path, (file) => file.read(entry.byteOffset, length))
      : inflateEntry(path, entry).subarray(0, length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  switch (entry.dtype) {
    case 'float32':
      return view.getFloat32(0, true);
    case 'float64':
      return view.getFloat64(0, true);
    case 'float16':
      return half(view.getUint16(0, true));
    case 'bfloat16': {
      const widened = new DataView(new ArrayBuffer(4));
      widened.setUint16(2, view.getUint16(0, true), true);
      return widened.getFloat32(0, true);
    }
    case 'int64':
      return Number(view.getBigInt64(0, true));
    case 'int32':
      return view.getInt32(0, true);
    case 'int16':
      return view.getInt16(0, true);
    case 'int8':
      return view.getInt8(0);
    case 'uint8':
    case 'bool':
      return view.getUint8(0);
    default:
      throw new SaeEvalError(
        'checkpoint-shape',
        `${path}: expected a number in '${name}', found ${entry.dtype}.`,
      );
  }
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
