/** A checkpoint whose tensors lie in several files. */
import { SaeEvalError } from '../errors.js';
import type { TensorEntry } from './entries.js';
import { readCheckpoint, type Checkpoint } from './read.js';

/** A file, with the names that its tensors have in the whole. */
export interface CheckpointPart {
  path: string;
  nameOf(tensor: string): string;
}

/** A checkpoint has at most so many files. */
export const mostParts = 1024;

/**
 * Reads the headers of several files as one checkpoint, whose path is a folder's.
 * @throws SaeEvalError as {@link readCheckpoint}; `checkpoint-keys` if two tensors have one name.
 */
export async function readParts(
  folder: string,
  parts: readonly CheckpointPart[],
): Promise<Checkpoint> {
  const entries = new Map<string, TensorEntry>();
  let format: Checkpoint['format'] = 'safetensors';
  for (const { path, nameOf } of parts) {
    const part = await readCheckpoint(path);
    format = part.format;
    for (const [own, entry] of part.entries) {
      const name = nameOf(own);
      if (entries.has(name))
        throw new SaeEvalError(
          'checkpoint-keys',
          `${path}: the tensor '${own.slice(0, 80)}' stands in another file of the folder too.`,
        );
      entries.set(name, { ...entry, name, file: path });
    }
  }
  const nothing = new Map<string, never>();
  return {
    path: folder,
    format,
    entries,
    values: nothing,
    opaque: nothing,
    prefix: '',
    others: [],
    contents: { path: folder, format, tensors: entries, values: nothing, opaque: nothing },
  };
}

/** The files that a checkpoint's tensors lie in. */
export function filesOf({ path, entries }: Checkpoint): string[] {
  const files = new Set([...entries.values()].map(({ file }) => file ?? path));
  return files.size === 0 ? [path] : [...files];
}
