/** Files that hold records, by their names, and what to do with others. */
import { basename, dirname, join } from 'node:path';
import { mistakenFile } from '../checkpoint/mistaken-file.js';
import { SaeEvalError } from '../errors.js';
import { factsOf, isThere, namesIn } from '../files/index.js';

export interface DataFile {
  path: string;
  /**
   * `json`: one record per line, or a document with a list of records. `parquet`: one record per
   * row. `text`: one record per file.
   */
  format: 'json' | 'parquet' | 'text';
  compression: 'none' | 'gzip' | 'zstd';
}

/** Sorts of files in a folder. Only files of the first sort that the folder has are read. */
const sorts: readonly { extensions: readonly string[]; format: DataFile['format'] }[] = [
  { extensions: ['.jsonl'], format: 'json' },
  { extensions: ['.jsonl.gz', '.jsonl.zst'], format: 'json' },
  { extensions: ['.parquet'], format: 'parquet' },
  { extensions: ['.json', '.json.gz', '.json.zst'], format: 'json' },
  { extensions: ['.txt', '.txt.gz', '.txt.zst'], format: 'text' },
];

/** Extensions of files that tell a folder of data; `.json` does not, many folders have one. */
export const textExtensions: readonly (readonly string[])[] = sorts
  .map(({ extensions }) => extensions)
  .filter(([first]) => first !== '.json');

/** Files of the sort `.json` that describe a data set or a model, and hold no records. */
const describing = new RegExp(
  '^\\.|^(dataset_infos?|dataset_dict|state|metadata|croissant|manifest|package(-lock)?|' +
    'tokenizer|vocab|.*_map|.*config|.*\\.index)\\.json$',
);
/** Texts that stand beside data of another sort. */
const beside = /^(readme|licen[cs]e|notice|requirements|changelog|citation|copying)\b/i;

/** Extensions of files that are not read, with advice on what to do instead. */
const unread: readonly [extension: RegExp, instead: string][] = [
  [
    /\.(csv|tsv)(\.gz)?$/,
    'in Python, `pandas.read_csv(…).to_json("data.jsonl", orient="records", lines=True)` ' +
      'converts them',
  ],
  [
    /\.(feather|ftr)$/,
    'in Python, `pandas.read_feather(…).to_parquet("data.parquet")` converts them',
  ],
  [/\.(xlsx?|ods)$/, 'save the sheet as CSV, and that as lines of JSON'],
  [/\.(zip|tar|tgz|tar\.(gz|zst|xz|bz2)|7z|rar)$/, 'unpack them'],
  [/\.(xz|bz2|lz4|br)$/, 'unpack them, or compress them with gzip or zstd'],
  [
    /\.(pkl|pickle|pt|bin|npy|npz|safetensors|h5|hdf5|db|sqlite3?)$/,
    'write the texts, or the token ids, as lines of JSON',
  ],
];

/**
 * The sort of a file that is not read and the advice for it, as a clause; null for others.
 * @param path path of the file.
 * @param isSaved whether `save_to_disk` wrote its folder.
 */
export function unreadClause(path: string, { isSaved = false } = {}): string | null {
  const name = basename(path);
  if (name.endsWith('.arrow')) {
    const load = isSaved
      ? `datasets.load_from_disk(${JSON.stringify(dirname(path))})`
      : `datasets.Dataset.from_file(${JSON.stringify(path)})`;
    return (
      `.arrow files are not read: in Python, \`${load}.to_json("data.jsonl")\` converts ` +
      (isSaved ? 'them' : 'one')
    );
  }
  for (const [extension, instead] of unread) {
    const found = extension.exec(name.toLowerCase());
    if (found !== null) return `${found[0]} files are not read: ${instead}`;
  }
  return null;
}

function dataFile(path: string, format: DataFile['format']): DataFile {
  return {
    path,
    format,
    compression: path.endsWith('.gz') ? 'gzip' : path.endsWith('.zst') ? 'zstd' : 'none',
  };
}

/** A file given by its own name: `.parquet`, `.txt`, or else JSON. */
export function singleFile(path: string): DataFile {
  const isSaved = isThere(join(dirname(path), 'state.json'));
  const clause = unreadClause(path, { isSaved });
  if (clause !== null) throw new SaeEvalError('dataset-invalid', `${path}: ${clause}.`);
  if (path.endsWith('.parquet')) return dataFile(path, 'parquet');
  return dataFile(path, /\.txt(\.gz|\.zst)?$/.test(basename(path)) ? 'text' : 'json');
}

/** @throws SaeEvalError `dataset-invalid` for a pointer or page in place of a data file. */
export function refuseMistaken({ path }: DataFile): void {
  const mistake = mistakenFile(path);
  if (mistake !== null)
    throw new SaeEvalError('dataset-invalid', `${path}: expected a data file, but ${mistake}.`);
}

/** Names in code-point order. UTF-8 bytes sort that way, JavaScript's UTF-16 units do not. */
function inCodePointOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

export interface Folder {
  path: string;
  /** Files of the first sort that the folder has, in code-point order of their names. */
  files: DataFile[];
  /** Whether the files only go with data of another place, such as a license. */
  besides: boolean;
  /** Why the files cannot be taken together; null if they can. */
  fault: string | null;
  /** Names of everything in the folder. */
  names: string[];
}

/**
 * Whether a name of a folder is a file; a folder may have the name of one.
 * @throws SaeEvalError `file-not-found` for a link to nothing, `file-unreadable` for a pipe: text
 *   would be missing without a word.
 */
function isDataFile(path: string): boolean {
  const facts = factsOf(path);
  if (facts === null)
    throw new SaeEvalError(
      'file-not-found',
      path.includes('\ufffd')
        ? `${path}: its name is not UTF-8, so that it cannot be opened: rename it.`
        : `${path}: this link leads to nothing.`,
    );
  if (!facts.isFile() && !facts.isDirectory())
    throw new SaeEvalError(
      'file-unreadable',
      `${path}: expected a file, found a pipe, a socket or a device.`,
    );
  return facts.isFile();
}

/**
 * The data files of a folder, not of its sub-folders. `.jsonl` files are taken; if it has none, the
 * compressed ones; else the parquet files; else the JSON documents; else the texts. Documents
 * beside texts are a fault, since either may be meant.
 */
export function folderAt(path: string): Folder {
  const names = inCodePointOrder(namesIn(path));
  const found: Record<string, DataFile[]> = {};
  for (const { extensions, format } of sorts) {
    const files: DataFile[] = [];
    for (const name of names) {
      if (!extensions.some((extension) => name.endsWith(extension))) continue;
      if (extensions[0] === '.json' && describing.test(name)) continue;
      if (isDataFile(join(path, name))) files.push(dataFile(join(path, name), format));
    }
    if (files.length === 0) continue;
    found[extensions[0]!] = files;
    if (extensions[0] !== '.json') break;
  }
  const { '.json': documents, '.txt': texts } = found;
  const besides = texts?.every((file) => beside.test(basename(file.path))) === true;
  const [files = []] = Object.values(found);
  return {
    path,
    files,
    besides: files === texts && besides,
    fault:
      documents === undefined || texts === undefined || besides
        ? null
        : `expected data files of one sort, found ${documents.length} .json and ${texts.length} ` +
          '.txt. Give one of them as dataset.path, or move the others away.',
    names,
  };
}
