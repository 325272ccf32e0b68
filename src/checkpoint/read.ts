/** Reads the headers of a checkpoint file. No tensor is read, and no code of the file is run. */
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import type { FileContents } from './contents.js';
import type { TensorEntry } from './entries.js';
import { FileBytes } from './file-bytes.js';
import type { OpaqueValue } from './leaves.js';
import { mistakenFile } from './mistaken-file.js';
import { looksLikeNpz, readNpz } from './npz.js';
import { looksLikePtLegacy, readPtLegacy } from './pt-legacy.js';
import { readPtZip } from './pt-zip.js';
import { looksLikeSafetensors, readSafetensors } from './safetensors.js';
import { readZipDirectory } from './zip.js';

export type { FileContents } from './contents.js';
export type { TensorEntry } from './entries.js';
export type { OpaqueValue } from './leaves.js';

/** A checkpoint file, seen from one state dict in it. */
export interface Checkpoint {
  path: string;
  format: FileContents['format'];
  /** Tensors of the state dict by name. */
  entries: ReadonlyMap<string, TensorEntry>;
  /** Values that are not tensors, by dotted path. */
  values: ReadonlyMap<string, unknown>;
  /** Objects that are named and never made, by dotted path: only their own code could make them. */
  opaque: ReadonlyMap<string, OpaqueValue>;
  /** Prefix removed from the names: the path of a nested dict, `module.`, `_orig_mod.`. */
  prefix: string;
  /** Dotted paths of the tensors beside the state dict, such as an optimizer's. */
  others: readonly string[];
  /** The whole file, in which other state dicts may be found. */
  contents: FileContents;
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
    if (looksLikePtLegacy(first)) return readPtLegacy(path);
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
