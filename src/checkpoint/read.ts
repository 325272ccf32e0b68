/** Reads the headers of a checkpoint file. No tensor is read, and no code of the file is run. */
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import type { TensorEntry } from './entries.js';
import { FileBytes } from './file-bytes.js';
import { mistakenFile } from './mistaken-file.js';
import { looksLikeNpz, readNpz } from './npz.js';
import { readPtLegacy } from './pt-legacy.js';
import { readPtZip } from './pt-zip.js';
import { looksLikeSafetensors, readSafetensors } from './safetensors.js';
import { readZipDirectory } from './zip.js';

export type { TensorEntry } from './entries.js';

/** Contents of a checkpoint file. */
export interface Checkpoint {
  path: string;
  format: 'pt-zip' | 'pt-legacy' | 'safetensors' | 'npz';
  /** Tensors of the state dict by name. */
  entries: ReadonlyMap<string, TensorEntry>;
  /** Values that are not tensors, by dotted path. */
  values: ReadonlyMap<string, unknown>;
  /** Prefix removed from the names: the path of a nested dict, `module.`, `_orig_mod.`. */
  prefix: string;
  /** Dotted paths of the tensors beside the state dict, such as an optimizer's. */
  others: readonly string[];
}

/**
 * Reads the headers of a `.pt` (zip or legacy), `.safetensors` or `.npz` file. The content decides
 * which it is, not the name.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `checkpoint-format`,
 *   `checkpoint-forbidden`, `checkpoint-module`.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  try {
    const { first, size } = FileBytes.with(path, (file) => ({
      first: file.read(0, Math.min(file.size, 16)),
      size: file.size,
    }));
    if (size === 0) throw new SaeEvalError('checkpoint-format', `${path}: the file is empty.`);
    if (first[0] === 0x50 && first[1] === 0x4b)
      return FileBytes.with(path, (file) => looksLikeNpz(readZipDirectory(file)))
        ? readNpz(path)
        : readPtZip(path);
    if (looksLikeSafetensors(first, size)) return readSafetensors(path);
    if (first[0] === 0x80) return readPtLegacy(path);
    const mistake = mistakenFile(path);
    throw new SaeEvalError(
      'checkpoint-format',
      `${path}: expected a .pt file of torch.save, a .safetensors or an .npz file` +
        (mistake === null ? ', found something else.' : `; ${mistake}.`),
    );
  } catch (error) {
    throw asSaeEvalError(error, path);
  }
}
