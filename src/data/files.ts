/** Which files a data set's path means, and how each is read. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../errors.js';

export interface DataFile {
  path: string;
  /** `json`: a record per line. `parquet`: a record per row. `text`: the file is one record. */
  format: 'json' | 'parquet' | 'text';
  compression: 'none' | 'gzip' | 'zstd';
}

/**
 * In the order they are looked for in a folder: the first that is there is read, the others are
 * left alone.
 */
const kinds: readonly { extensions: readonly string[]; format: DataFile['format'] }[] = [
  { extensions: ['.jsonl'], format: 'json' },
  { extensions: ['.jsonl.gz', '.jsonl.zst'], format: 'json' },
  { extensions: ['.parquet'], format: 'parquet' },
  { extensions: ['.txt', '.txt.gz', '.txt.zst'], format: 'text' },
];

/**
 * Extensions of the files that a folder's texts can be, kind by kind: the first kind that is there
 * is read.
 */
export const textExtensions: readonly (readonly string[])[] = kinds.map(
  ({ extensions }) => extensions,
);

const described = kinds.flatMap(({ extensions }) => extensions).join(', ');

/** Names of files that would need a library this package does not have. */
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

/** A file given by its own name: `.parquet`, `.txt`, anything else lines of JSON. */
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

/** Names in code-point order; UTF-8 bytes sort that way, JavaScript's UTF-16 units do not. */
function inCodePointOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/**
 * The file itself, or a folder's files (not those of its sub-folders) in code-point order of their
 * names: its `.jsonl` files, or where it has none its compressed ones, or else its parquet files,
 * or else its texts.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid` for a folder
 *   without such files.
 */
export async function listFiles(path: string): Promise<DataFile[]> {
  let names: string[];
  try {
    if (!(await stat(path)).isDirectory()) return [singleFile(path)];
    names = inCodePointOrder(await readdir(path));
    for (const { extensions, format } of kinds) {
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
    `${path}: expected a .jsonl file or a folder with files of one of ${described}, found ` +
      'a folder without any (sub-folders are not ' +
      `read${hint === undefined ? '' : `; ${hint[0]} files neither: ${hint[1]}`}).`,
  );
}
