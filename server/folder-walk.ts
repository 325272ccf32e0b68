/**
 * The folders below the roots with the files in them that may be checkpoints, models and texts, by
 * their names. No file is opened.
 */
import type { Dirent } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { textExtensions } from '../src/data/data-file.js';
import { asSaeEvalError, SaeEvalError } from '../src/errors.js';
import { entriesLater } from '../src/files/index.js';

const deepest = 5;
const mostFolders = 2000;
/** Milliseconds between walks through the roots, at least. */
const betweenWalks = 2000;
/** Part of the time that walking may take. */
const partOfTime = 0.1;
/** Files that are looked at at once. */
const atOnce = 64;
/** Endings of files that tell of checkpoints, models and texts; others are not looked at. */
const telling = new RegExp(
  `(?:${['.pt', '.pth', '.npz', '.safetensors', '.bin', '.json', ...textExtensions.flat()]
    .map((ending) => ending.replaceAll('.', '\\.'))
    .join('|')})$`,
);
const skipped = new Set(['node_modules', 'dist', 'build', '__pycache__']);

/** A file below a root. */
export interface Found {
  /** Path in a request. */
  name: string;
  file: string;
  bytes: number;
  modified: number;
}

/** A folder with its own files. */
export interface Folder {
  name: string;
  file: string;
  files: Found[];
}

export class FolderWalk {
  #walk: { until: number; folders: Promise<Folder[]> } | null = null;

  /** @param roots real paths. */
  constructor(private readonly roots: readonly string[]) {}

  /**
   * All folders below the roots, walked again after a while.
   * @throws SaeEvalError `unavailable` if a root cannot be read.
   */
  folders(): Promise<Folder[]> {
    if (this.#walk === null || performance.now() > this.#walk.until) {
      const began = performance.now();
      const walk = { until: Infinity, folders: this.#walkRoots() };
      const onEnd = (): void => {
        const now = performance.now();
        walk.until = now + Math.max(betweenWalks, (now - began) / partOfTime);
      };
      walk.folders.then(onEnd, onEnd);
      this.#walk = walk;
    }
    return this.#walk.folders;
  }

  async #walkRoots(): Promise<Folder[]> {
    const folders: Folder[] = [];
    const seen = new Set<string>();
    for (const root of this.roots) {
      const waiting: { path: string; depth: number }[] = [{ path: root, depth: 0 }];
      for (
        let next = waiting.shift();
        next !== undefined && folders.length < mostFolders;
        next = waiting.shift()
      ) {
        const { path, depth } = next;
        const name = relative(root, path) || '.';
        const names: string[] = [];
        for (const entry of await this.#entries(path, { isRoot: depth === 0 })) {
          // Links are left out; their targets are checked when a request names them.
          if (
            entry.isDirectory() &&
            depth < deepest &&
            !skipped.has(entry.name) &&
            !entry.name.startsWith('.')
          )
            waiting.push({ path: join(path, entry.name), depth: depth + 1 });
          const entryName = relative(root, join(path, entry.name));
          if (!entry.isFile() || !telling.test(entry.name) || seen.has(entryName)) continue;
          seen.add(entryName);
          names.push(entry.name);
        }
        const files = await lookedAt(root, path, names);
        folders.push({ name, file: path, files });
      }
    }
    return folders;
  }

  async #entries(path: string, { isRoot }: { isRoot: boolean }): Promise<Dirent[]> {
    try {
      return inOrder(await entriesLater(path, { within: this.roots }));
    } catch (thrown) {
      if (asSaeEvalError(thrown).code === 'unavailable') throw thrown;
      if (!isRoot) return [];
      throw new SaeEvalError(
        'unavailable',
        'A root folder of the server cannot be read now; its operator can say why.',
        { cause: thrown },
      );
    }
  }
}

/** Entries by name. */
export const inOrder = (entries: Dirent[]): Dirent[] =>
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));

/** Files of a folder with their sizes and times; one that is gone meanwhile is left out. */
async function lookedAt(root: string, folder: string, names: readonly string[]): Promise<Found[]> {
  const files: Found[] = [];
  for (let from = 0; from < names.length; from += atOnce)
    files.push(
      ...(
        await Promise.all(
          names.slice(from, from + atOnce).map(async (name): Promise<Found[]> => {
            const file = join(folder, name);
            const facts = await lstat(file).catch(() => null);
            if (facts?.isFile() !== true) return [];
            const { size: bytes, mtimeMs: modified } = facts;
            return [{ name: relative(root, file), file, bytes, modified }];
          }),
        )
      ).flat(),
    );
  return files;
}
