/** From the entries of a checkpoint to tensors, mapped and not copied. */
import { SaeEvalError } from '../errors.js';
import { fromTypedArray, mapFile, scope, type DType, type Tensor } from '../torch/index.js';
import type { TensorEntry } from './entries.js';
import { inflateEntry } from './npz.js';
import type { Checkpoint } from './read.js';

export interface OpenOptions {
  /** Which tensors; default all. */
  names?: readonly string[];
  /** Where they are wanted; a copy is made only where it is not the CPU. */
  device?: string;
  /** Default: as stored; a copy is made only where it differs. */
  dtype?: DType;
}

/** A copy of a compressed array. */
function inflated(
  path: string,
  entry: TensorEntry,
  target: { device: string; dtype: DType },
): Tensor {
  const bytes = inflateEntry(path, entry);
  return scope(() =>
    fromTypedArray(new Uint8Array(bytes))
      .view(entry.dtype)
      .as_strided(entry.shape, entry.strides)
      .to(target),
  );
}

/**
 * Tensors by name. The caller owns them; they keep the mapping of the file alive. Tensors that
 * share a storage in the file share its bytes here, except where a legacy file does not align them:
 * then each is a copy.
 * @throws SaeEvalError `checkpoint-keys` for a name that is not there, `checkpoint-format` where
 *   the file has changed.
 */
export function openTensors(
  checkpoint: Checkpoint,
  { names, device = 'cpu', dtype }: OpenOptions = {},
): Map<string, Tensor> {
  const file = mapFile(checkpoint.path);
  const opened = new Map<string, Tensor>();
  try {
    for (const name of names ?? checkpoint.entries.keys()) {
      const entry = checkpoint.entries.get(name);
      if (entry === undefined)
        throw new SaeEvalError(
          'checkpoint-keys',
          `${checkpoint.path}: expected a tensor '${name}', found none of that name.`,
        );
      if (entry.deflated !== undefined) {
        opened.set(name, inflated(checkpoint.path, entry, { device, dtype: dtype ?? entry.dtype }));
        continue;
      }
      const limit = entry.storage.byteOffset + entry.storage.byteLength - entry.byteOffset;
      const mapped = file.tensor({
        byteOffset: entry.byteOffset,
        byteLength: limit,
        dtype: entry.dtype,
        shape: entry.shape,
        strides: entry.strides,
      });
      const target = dtype ?? entry.dtype;
      if (device === 'cpu' && target === entry.dtype) opened.set(name, mapped);
      else {
        try {
          opened.set(name, mapped.to({ device, dtype: target }));
        } finally {
          mapped.dispose();
        }
      }
    }
    return opened;
  } catch (error) {
    for (const tensor of opened.values()) tensor.dispose();
    throw error;
  } finally {
    file.close();
  }
}
