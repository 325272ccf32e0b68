/** Files of a data set, and the way each is read. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../errors.js';

export interface DataFile {
  path: string;
  /** `json`: one record per line. `parquet`: one record per row. `text`: one record per file. */
  format: 'json' | 'parquet' | 'text';
  compression: 'none' | 'gzip' | 'zstd';
}

/** Sorts of files in a folder. Only files of the first sort that the folder has are read. */
const sorts: readonly { extensions: readonly string[]; format: DataFile['format'] }[] = [
  { extensions: ['.jsonl'], format: 'json' },
  { extensions: ['.jsonl.gz', '.jsonl.zst'], format: 'json' },
  { extensions: ['.parquet'], format: 'parquet' },
  { extensions: ['.txt', '.txt.gz', '.txt.zst'], format: 'text' },
];

/** Extensions of each sort of files in a folder. Only the first sort that is there is read. */
export const textExtensions: readonly (readonly string[])[] = sorts.map(
  ({ extensions }) => extensions,
);

/** Extensions of files that are not read, with advice on what to do instead. */
const unread: readonly [extension: string, instead: string][] = [
  ['.arrow', 'in Python, `datasets.load_from_disk(…).to_json("data.jsonl")` converts it'],
];

function dataFile(path: string, format: DataFile['format']): DataFile {
  return {
    path,
    format,
    compression: path.endsWith('.gz') ? 'gzip' : path.endsWith('.zst') ? 'zstd' : 'none',
  };
}

/** A file given by its own name: `.parquet`, `.txt`, or else lines of JSON. */
function singleFile(path: string): DataFile {
  const found = unread.find(([extension]) => path.endsWith(extension));
  if (found !== undefined)
    throw new SaeEvalError(
      'dataset-invalid',
      `${path}: ${found[0]} files are not read: ${found[1]}.`,
    );
  if (path.endsWith('.parquet')) return dataFile(path, 'parquet');
  return dataFile(path, /\.txt(\.gz|\.zst)?$/.test(basename(path)) ? 'text' : 'json');
}

/** Names in code-point order. UTF-8 bytes sort that way, JavaScript's UTF-16 units do not. */
function inCodePointOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/**
 * Files of a data set: the file itself, or the files of a folder (not of its sub-folders) in
 * code-point order of their names. A folder's `.jsonl` files are read; if it has none, the
 * compressed ones; else the parquet files; else the texts.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid` for a folder
 *   without such files.
 */
export async function listFiles(path: string): Promise<DataFile[]> {
  let names: string[];
  try {
    if (!(await stat(path)).isDirectory()) return [singleFile(path)];
    names = inCodePointOrder(await readdir(path));
    for (const { extensions, format } of sorts) {
      const files: DataFile[] = [];
      for (const name of names.filter((each) =>
        extensions.some((extension) => each.endsWith(extension)),
      )) {
        if ((await stat(join(path, name))).isFile()) files.push(dataFile(join(path, name), format));
      }
      if (files.length > 0) return files;
    }
  } catch (thrown) {
    throw asSaeEvalError(thrown, `The data set ${path}`);
  }
  const hint = unread.find(([extension]) => names.some((name) => name.endsWith(extension)));
  throw new SaeEvalError(
    'dataset-invalid',
    `${path}: expected a .jsonl file or a folder with files of one of ` +
      `${textExtensions.flat().join(', ')}, found ` +
      'a folder without any (sub-folders are not ' +
      `read${hint === undefined ? '' : `; ${hint[0]} files neither: ${hint[1]}`}).`,
  );
}
