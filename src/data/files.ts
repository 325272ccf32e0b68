/**
 * Files of a data set: one file, a folder of files, or a folder as the Hugging Face hub or
 * `save_to_disk` leave it, with the files of one split in a sub-folder.
 */
import type { Dirent } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { entriesIn, holding } from '../files/index.js';
import {
  folderAt,
  refuseMistaken,
  singleFile,
  textExtensions,
  unreadClause,
  type DataFile,
  type Folder,
} from './data-file.js';
import { splitNamed, splitOfFile, splitOfFolder } from './splits.js';

/** Levels of sub-folders in which data is looked for if the folder itself has none. */
const deepest = 3;
const mostFolders = 2000;
const mostNamed = 12;

interface Found extends Folder {
  /** Path below that of the data set. */
  name: string;
}

/** Entries of a folder; none if it cannot be read. */
function listed(folder: string): Dirent[] {
  try {
    return entriesIn(folder);
  } catch {
    return [];
  }
}

function folderIfReadable(path: string): Folder | null {
  try {
    return folderAt(path);
  } catch (thrown) {
    if (thrown instanceof SaeEvalError) throw thrown; // it leads outside
    return null;
  }
}

/** Sub-folders with data files, or with files that are named as not read. */
function subFolders(path: string): Found[] {
  const found: Found[] = [];
  let waiting = [path];
  for (let depth = 0, seen = 0; depth < deepest && waiting.length > 0; depth++) {
    const next: string[] = [];
    for (const parent of waiting)
      for (const entry of listed(parent)) {
        if (!entry.isDirectory() || entry.name.startsWith('.') || ++seen > mostFolders) continue;
        next.push(join(parent, entry.name));
      }
    waiting = next.sort();
    for (const each of waiting) {
      const folder = folderIfReadable(each);
      if (folder !== null) found.push({ ...folder, name: relative(path, each) });
    }
  }
  return found;
}

function quoted(items: readonly string[]): string {
  const shown = items.slice(0, mostNamed).join(', ');
  return items.length > mostNamed ? `${shown} and ${items.length - mostNamed} more` : shown;
}

const count = (files: number): string => `${files} file${files === 1 ? '' : 's'}`;

const splitOf = ({ path, format }: DataFile): string | null =>
  splitOfFile(basename(path), { strict: format === 'text' });

/** Split that the folders on the way to a folder tell. */
const splitOfPath = (name: string): string | null =>
  name.split(/[\\/]/).reduce<string | null>((found, part) => splitOfFolder(part) ?? found, null);

/** Files of one split of a folder. */
function filesOfSplit(
  { files, fault }: Folder,
  { path, split, within = null }: { path: string; split: string | null; within?: string | null },
): DataFile[] {
  if (fault !== null) throw new SaeEvalError('dataset-invalid', `${path}: ${fault}`);
  const bySplit = new Map<string | null, DataFile[]>();
  for (const file of files) {
    const name = splitOf(file) ?? within;
    bySplit.set(name, [...(bySplit.get(name) ?? []), file]);
  }
  if (split !== null) {
    const chosen = bySplit.get(splitNamed(split));
    if (chosen !== undefined) return chosen;
    throw noSuchSplit(path, split, [...bySplit.keys()]);
  }
  const named = [...bySplit].filter(([name]) => name !== null);
  if (named.length < 2) return [...files];
  throw new SaeEvalError(
    'dataset-invalid',
    `${path}: expected the files of one split, found several: ` +
      `${quoted(named.map(([name, each]) => `${name} (${count(each.length)})`))}. Name one in ` +
      'dataset.split, or give one file as dataset.path.',
  );
}

function noSuchSplit(path: string, split: string, there: readonly (string | null)[]): SaeEvalError {
  const names = [...new Set(there.filter((name) => name !== null))].sort();
  return new SaeEvalError(
    'dataset-invalid',
    `${path}: expected files of the split '${split}' (dataset.split), found ` +
      (names.length === 0 ? 'none whose names tell a split.' : `${quoted(names)}.`),
  );
}

/** The one sub-folder with data, or an error that names what there is. */
function filesBelow(folder: Folder, split: string | null): DataFile[] | null {
  const { path } = folder;
  const below = subFolders(path);
  const holding = below.filter(({ files, besides }) => files.length > 0 && !besides);
  const wanted = split === null ? null : splitNamed(split);
  const ofSplit =
    wanted === null
      ? holding
      : holding.filter(
          ({ name, files }) =>
            splitOfPath(name) === wanted ||
            basename(name) === split ||
            files.some((file) => splitOf(file) === wanted),
        );
  if (holding.length > 0 && ofSplit.length === 0)
    throw noSuchSplit(
      path,
      split!,
      holding.flatMap(({ name, files }) => [splitOfPath(name), ...files.map(splitOf)]),
    );
  const [only, ...others] = ofSplit;
  if (only !== undefined && others.length === 0)
    return filesOfSplit(only, {
      path: only.path,
      split,
      within: basename(only.name) === split ? split : splitOfPath(only.name),
    });
  if (only !== undefined)
    throw new SaeEvalError(
      'dataset-invalid',
      `${path}: expected data files, found them in ${ofSplit.length} sub-folders: ` +
        `${quoted(ofSplit.map(({ name, files }) => `${name} (${count(files.length)})`))}. Give ` +
        `one of them as dataset.path` +
        (ofSplit.every(({ name }) => splitOfPath(name) !== null)
          ? ', or name its split in dataset.split.'
          : '.'),
    );
  return folder.files.length > 0 ? null : refuse(folder, below);
}

function refuse(folder: Folder, below: readonly Found[]): never {
  const clauses = [{ ...folder, name: '' }, ...below].flatMap(({ path, name, names }) => {
    const isSaved = names.includes('state.json');
    const where = name === '' ? '' : `in ${name}: `;
    return names.flatMap((file) => {
      const clause = unreadClause(join(path, file), { isSaved });
      return clause === null ? [] : [`${where}${clause}`];
    });
  });
  throw new SaeEvalError(
    'dataset-invalid',
    `${folder.path}: expected a .jsonl file or a folder with files of one of ` +
      `${textExtensions.flat().join(', ')}, .json, found a folder without any` +
      (clauses[0] === undefined ? '.' : ` (${clauses[0]}).`),
  );
}

/**
 * Files of a data set: the file itself, or those of a folder ({@link folderAt}). If the folder has
 * none, its sub-folders are looked through; data in one of them is read. Splits are never mixed.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid` for a folder without
 *   such files, with several splits, or with a pointer or page in place of a file.
 */
export async function listFiles(
  path: string,
  { split = null }: { split?: string | null } = {},
): Promise<DataFile[]> {
  try {
    const facts = holding(path, (held) => held.facts);
    if (!facts.isDirectory()) {
      const file = singleFile(path);
      if (split !== null && splitOf(file) !== splitNamed(split))
        throw noSuchSplit(path, split, [splitOf(file)]);
      if (facts.isFile()) refuseMistaken(file);
      return [file];
    }
    const folder = folderAt(path);
    const below = folder.files.length === 0 || folder.besides ? filesBelow(folder, split) : null;
    const files = below ?? filesOfSplit(folder, { path, split });
    files.forEach(refuseMistaken);
    return files;
  } catch (thrown) {
    throw asSaeEvalError(thrown, `The data set ${path}`);
  }
}
