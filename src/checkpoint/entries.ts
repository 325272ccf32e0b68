/** Tensor entries from tensors and the places of their storages: every extent is checked here. */
import { SaeEvalError } from '../errors.js';
import type { DType } from '../torch/tensor.js';
import { itemBytes, type TensorRef } from './torch-globals.js';

/** A tensor of a file: enough to map it. */
export interface TensorEntry {
  name: string;
  dtype: DType;
  shape: number[];
  /** In elements. */
  strides: number[];
  /** Of element 0, from the beginning of the file. */
  byteOffset: number;
  /** The storage it is a view of. */
  storage: { byteOffset: number; byteLength: number };
  /**
   * Where it is compressed (.npz): its place in the file; the offsets above then count from the
   * beginning of what it inflates to.
   */
  deflated?: { byteOffset: number; byteLength: number; inflatedLength: number };
}

/** Bytes from the first element to past the last; Infinity where they overflow. */
export function extentBytes(
  shape: readonly number[],
  strides: readonly number[],
  dtype: DType,
): number {
  if (shape.includes(0)) return 0;
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, 0);
  const bytes = (last + 1) * itemBytes[dtype];
  return Number.isSafeInteger(bytes) ? bytes : Infinity;
}

export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= Math.max(shape[i]!, 1);
  }
  return strides;
}

/**
 * The entry of a tensor whose storage lies at `place`. @throws SaeEvalError `checkpoint-format`
 * where it does not fit.
 */
export function entryOf(
  name: string,
  tensor: TensorRef,
  place: { byteOffset: number; byteLength: number } | undefined,
  file: string,
): TensorEntry {
  const { dtype, shape, strides } = tensor;
  const bad = (what: string): SaeEvalError =>
    new SaeEvalError(
      'checkpoint-format',
      `${file}: tensor '${name}' ${what}. The file is truncated or damaged.`,
    );
  if (place === undefined) throw bad(`has its storage '${tensor.storage.key}' nowhere in the file`);
  const start = (tensor.offset + tensor.storage.viewOffset) * itemBytes[dtype];
  const bytes = extentBytes(shape, strides, dtype);
  if (!Number.isSafeInteger(start) || start < 0 || !(start + bytes <= place.byteLength)) {
    throw bad(
      `of shape [${shape.join(', ')}] needs ${start + bytes} bytes of its storage, which ` +
        `has ${place.byteLength}`,
    );
  }
  return { name, dtype, shape, strides, byteOffset: place.byteOffset + start, storage: place };
}
