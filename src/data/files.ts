/** Which files a data set's path means. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../errors.js';

const extension = '.jsonl';

/** Names in code-point order; UTF-8 bytes sort that way, JavaScript's UTF-16 units do not. */
function inCodePointOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/**
 * The file itself, or a folder's `.jsonl` files (not those of its sub-folders) in code-point order of their names.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid` for a folder without such files.
 */
export async function listFiles(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = inCodePointOrder((await readdir(path)).filter((name) => name.endsWith(extension)));
    const files: string[] = [];
    for (const name of names) if ((await stat(join(path, name))).isFile()) files.push(join(path, name));
    if (files.length > 0) return files;
  } catch (thrown) {
    throw asSaeEvalError(thrown, `The data set ${path}`);
  }
  throw new SaeEvalError('dataset-invalid', `${path}: expected a .jsonl file or a folder with .jsonl files, found a folder without any (sub-folders are not read).`);
}
