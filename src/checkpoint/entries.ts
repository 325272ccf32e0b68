/** Entries of the tensors in a file. Every entry is checked to lie within its storage. */
import { SaeEvalError } from '../errors.js';
import type { DType } from '../torch/tensor.js';
import { itemBytes } from './dtypes.js';
import type { TensorRef } from './torch-globals.js';

/** Tensor of a file, with all that is needed to map it. */
export interface TensorEntry {
  name: string;
  /** File that it lies in, for a checkpoint of several; absent: the checkpoint's. */
  file?: string;
  dtype: DType;
  shape: number[];
  /** Strides in elements. */
  strides: number[];
  /** Offset of the first element, from the beginning of the file. */
  byteOffset: number;
  /** Storage that the tensor is a view of. */
  storage: { byteOffset: number; byteLength: number };
  /**
   * Range of a compressed array (.npz) in the file. The offsets above then count from the beginning
   * of the inflated bytes.
   */
  deflated?: { byteOffset: number; byteLength: number; inflatedLength: number };
  /**
   * Parts that the tensor is computed from, `direction · magnitude / ‖direction‖`. The norm is
   * taken over the dimensions that the magnitude lacks.
   */
  weightNorm?: { magnitude: TensorEntry; direction: TensorEntry };
}

/** Number of bytes from the first element to the end of the last; Infinity on overflow. */
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

/** Row-major strides, in elements. */
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
 * Entry of a tensor whose storage lies at `place`.
 * @throws SaeEvalError `checkpoint-format` if the tensor reaches beyond its storage, or if there is
 *   no such storage.
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
  if (place === undefined) throw bad(`lacks its storage '${tensor.storage.key}'`);
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
