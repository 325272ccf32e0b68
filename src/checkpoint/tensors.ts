/** From the entries of a checkpoint to tensors, mapped and not copied. */
import { SaeEvalError } from '../errors.js';
import { mapFile, type DType, type Tensor } from '../torch/index.js';
import type { Checkpoint } from './read.js';

export interface OpenOptions {
  /** Which tensors; default all. */
  names?: readonly string[];
  /** Where they are wanted; a copy is made only where it is not the CPU. */
  device?: string;
  /** Default: as stored; a copy is made only where it differs. */
  dtype?: DType;
}

/** Tensors by name. The caller owns them; they keep the mapping of the file alive. */
export function openTensors(checkpoint: Checkpoint, { names, device = 'cpu', dtype }: OpenOptions = {}): Map<string, Tensor> {
  const file = mapFile(checkpoint.path);
  try {
    const wanted = names ?? [...checkpoint.entries.keys()];
    return new Map(wanted.map((name) => {
      const entry = checkpoint.entries.get(name);
      if (entry === undefined) throw new SaeEvalError('checkpoint-keys', `${checkpoint.path}: expected a tensor '${name}', found none of that name.`);
      const limit = entry.storage.byteOffset + entry.storage.byteLength - entry.byteOffset;
      const mapped = file.tensor({ byteOffset: entry.byteOffset, byteLength: limit, dtype: entry.dtype, shape: entry.shape, strides: entry.strides });
      const target = dtype ?? entry.dtype;
      if (device === 'cpu' && target === entry.dtype) return [name, mapped];
      const moved = mapped.to({ device, dtype: target });
      mapped.dispose();
      return [name, moved];
    }));
  } finally {
    file.close();
  }
}
