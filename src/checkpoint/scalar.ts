/** Reads small tensors of a checkpoint, without libtorch. */
import { SaeEvalError } from '../errors.js';
import { FileBytes } from './file-bytes.js';
import { inflateEntry } from './npz.js';
import type { Checkpoint } from './read.js';
import { itemBytes } from './dtypes.js';
import { numberAt } from './numbers.js';

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
  const { dtype, shape, strides, file: own = path } = entry;
  const [count = 1] = shape;
  const wrong = (expected: string, found: string): SaeEvalError =>
    new SaeEvalError('checkpoint-shape', `${path}: expected ${expected}, found ${found}.`);
  if (shape.length > 1 || count > mostElements || (count > 1 && strides[0] !== 1))
    throw wrong(`'${name}' to hold a row of numbers`, `shape [${shape.join(', ')}]`);
  const size = itemBytes[dtype];
  const bytes =
    entry.deflated === undefined
      ? FileBytes.with(own, (file) => file.read(entry.byteOffset, count * size))
      : inflateEntry(own, entry).subarray(0, count * size);
  return Array.from({ length: count }, (_, i) => {
    const value = numberAt(bytes, i * size, dtype);
    if (value === undefined) throw wrong(`numbers in '${name}'`, dtype);
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
