/** Opens the tensors of a checkpoint: mapped, or read (weights-file.ts). */
import { SaeEvalError } from '../errors.js';
import {
  fromTypedArray,
  ops,
  scope,
  type DType,
  type MappedFile,
  type Tensor,
} from '../torch/index.js';
import type { TensorEntry } from './entries.js';
import { inflateEntry } from './npz.js';
import type { Checkpoint } from './read.js';
import { openWeights } from './weights-file.js';

export interface OpenOptions {
  /** Names of the tensors to open. Default all. */
  names?: readonly string[];
  /** Device of the tensors. Any other than the CPU takes a copy. */
  device?: string;
  /** Dtype of the tensors. Default the stored one; any other takes a copy. */
  dtype?: DType;
  /** The file, opened by the caller, who closes it; default it is opened for this call. */
  file?: MappedFile | undefined;
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

interface Target {
  device: string;
  /** Default the stored one. */
  dtype?: DType | undefined;
}

function open(
  { path, file }: { path: string; file: MappedFile },
  entry: TensorEntry,
  { device, dtype = entry.dtype }: Target,
): Tensor {
  if (entry.weightNorm !== undefined) {
    const { magnitude, direction } = entry.weightNorm;
    return scope(() => {
      const v = open({ path, file }, direction, { device });
      const g = open({ path, file }, magnitude, { device, dtype: v.dtype });
      const over = v.shape.flatMap((_, dim) => ((g.shape[dim] ?? 1) === 1 ? [dim] : []));
      const norm = ops.linalg_vector_norm(v, 2, over, { keepdim: true });
      return v.mul(g.div(norm)).to({ dtype });
    });
  }
  if (entry.deflated !== undefined) return inflated(path, entry, { device, dtype });
  const mapped = file.tensor({
    byteOffset: entry.byteOffset,
    byteLength: entry.storage.byteOffset + entry.storage.byteLength - entry.byteOffset,
    dtype: entry.dtype,
    shape: entry.shape,
    strides: entry.strides,
  });
  if (device === 'cpu' && dtype === entry.dtype) return mapped;
  try {
    if (device === 'cpu' || dtype === entry.dtype) return mapped.to({ device, dtype });
    // The device converts, not the host: the stored bytes are copied.
    return scope(() => mapped.to({ device }).to({ dtype }));
  } finally {
    mapped.dispose();
  }
}

/**
 * Tensors by name. The caller disposes them; they keep the mapping of the file alive. Tensors that
 * share a storage in the file share its bytes here too, unless a legacy file does not align them.
 * @throws SaeEvalError `checkpoint-keys` for a name that the file lacks, `checkpoint-format` if the
 *   file has changed.
 */
export function openTensors(
  checkpoint: Checkpoint,
  { names, device = 'cpu', dtype, file: given }: OpenOptions = {},
): Map<string, Tensor> {
  const files = new Map<string, MappedFile>();
  const mapped = (path: string): MappedFile => {
    const found = given ?? files.get(path) ?? openWeights(path);
    if (given === undefined) files.set(path, found);
    return found;
  };
  const opened = new Map<string, Tensor>();
  try {
    for (const name of names ?? checkpoint.entries.keys()) {
      const entry = checkpoint.entries.get(name);
      if (entry === undefined)
        throw new SaeEvalError(
          'checkpoint-keys',
          `${checkpoint.path}: expected a tensor '${name}', found none of that name.`,
        );
      const { file: path = checkpoint.path } = entry;
      opened.set(name, open({ path, file: mapped(path) }, entry, { device, dtype }));
    }
    return opened;
  } catch (error) {
    for (const tensor of opened.values()) tensor.dispose();
    throw error;
  } finally {
    for (const file of files.values()) file.close();
  }
}
