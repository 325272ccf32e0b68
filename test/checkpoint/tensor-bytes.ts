/** A tensor's elements as bytes, row-major, for exact comparisons. */
import type { Tensor } from '#src/torch/index.js';

export function bytesOf(tensor: Tensor): Buffer {
  if (tensor.numel === 0) return Buffer.alloc(0);
  const bytes = tensor.contiguous().reshape([-1]).view('uint8').toTypedArray();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
