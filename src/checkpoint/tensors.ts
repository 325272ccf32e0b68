/** Opens the tensors of a checkpoint: they are mapped, not copied. */
import { SaeEvalError } from '../errors.js';
import { fromTypedArray, mapFile, scope, type DType, type Tensor } from '../torch/index.js';
import type { TensorEntry } from './entries.js';
import { inflateEntry } from './npz.js';
import type { Checkpoint } from './read.js';

export interface OpenOptions {
  /** Names of the tensors to open. Default all. */
  names?: readonly string[];
  /** Device of the tensors. Any other than the CPU takes a copy. */
  device?: string;
  /** Dtype of the tensors. Default the stored one; any other takes a copy. */
  dtype?: DType;
}

/** Copy of a compressed array. */
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
 * Tensors by name. The caller disposes them; they keep the mapping of the file alive. Tensors that
 * share a storage in the file share its bytes here too, unless a legacy file does not align them.
 * @throws SaeEvalError `checkpoint-keys` for a name that the file lacks, `checkpoint-format` if the
 *   file has changed.
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
