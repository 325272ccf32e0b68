/** Files mapped into memory or read, and tensors over their bytes. */
import { native, type NativeMappedFile } from './native.js';
import type { DType, Tensor } from './tensor.js';

export interface MappedTensorOptions {
  /** Offset of element 0 in the file. */
  byteOffset: number;
  /** Bytes from there that the tensor may cover; default: all up to the end of the file. */
  byteLength?: number;
  dtype: DType;
  shape: readonly number[];
  /** Strides in elements; default row-major. */
  strides?: readonly number[];
}

export interface MappedFile {
  readonly path: string;
  readonly byteLength: number;
  /**
   * A tensor over the file's bytes, without a copy if they are aligned for the dtype. It keeps the
   * mapping alive. In-place operators change the process's own copy of the page, never the file.
   * Of a file that is read, the tensor owns its bytes.
   * @throws TorchError `checkpoint-format` if it does not lie inside the file; of a file that is
   *   read also `file-unreadable` and `device-memory`.
   */
  tensor(options: MappedTensorOptions): Tensor;
  /** Ends the mapping for new tensors; existing ones stay valid. */
  close(): void;
}

export interface MapFileOptions {
  /** Whether each tensor is read into memory of its own instead; default false. */
  read?: boolean;
}

/**
 * Maps a file: its pages are read when they are touched. The file must not shrink while tensors
 * over it live, unless they are read.
 * @throws TorchError `file-not-found`, `file-unreadable`, `device-memory`.
 */
export function mapFile(path: string, { read = false }: MapFileOptions = {}): MappedFile {
  const mapped: NativeMappedFile = new (native().MappedFile)(path, read);
  return {
    path,
    byteLength: mapped.byteLength,
    tensor: (options) => mapped.tensor(options),
    close: () => mapped.close(),
  };
}
