/** Looks at a path or into a folder that a request names, without opening any file. */
import { readdirSync, type BigIntStats, type Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { SaeEvalError } from '../errors.js';
import { isNamedWithin } from './confinement.js';
import { holding, holdingLater, type HoldOptions } from './held.js';

/** Codes of the system for a path at which nothing is, or which leads round in circles. */
const missing = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG']);

/**
 * Facts about the thing at a path, links followed; null if there is none.
 * @throws SaeEvalError `path-outside-roots`.
 * @throws Error with Node's code, such as `EACCES`.
 */
export function factsOf(path: string): BigIntStats | null {
  try {
    return holding(path, ({ facts }) => facts);
  } catch (thrown) {
    if (missing.has((thrown as NodeJS.ErrnoException).code ?? '')) return null;
    throw thrown;
  }
}

/** As {@link factsOf}; null too for what may not be looked at. */
export function factsIfAny(path: string): BigIntStats | null {
  try {
    return factsOf(path);
  } catch {
    return null;
  }
}

function factsToTell(path: string): BigIntStats | null {
  // Settings may lie one folder above; above a root there are none.
  if (!isNamedWithin(path)) return null;
  try {
    return factsOf(path);
  } catch (thrown) {
    // A file that leads outside is not the same as none: settings would be dropped.
    if (thrown instanceof SaeEvalError) throw thrown;
    return null;
  }
}

/** Whether there is a file. @throws SaeEvalError `path-outside-roots`. */
export function isFile(path: string): boolean {
  return factsToTell(path)?.isFile() === true;
}

/** Whether there is a folder. @throws SaeEvalError `path-outside-roots`. */
export function isFolder(path: string): boolean {
  return factsToTell(path)?.isDirectory() === true;
}

/** Whether there is anything. @throws SaeEvalError `path-outside-roots`. */
export function isThere(path: string): boolean {
  return factsToTell(path) !== null;
}

/**
 * Entries of a folder; links among them are not followed.
 * @throws SaeEvalError `path-outside-roots`.
 * @throws Error with Node's code, such as `ENOENT`.
 */
export function entriesIn(folder: string): Dirent[] {
  return holding(folder, ({ through }) => readdirSync(through, { withFileTypes: true }));
}

/** As {@link entriesIn}, without blocking this thread for a folder of many files. */
export function entriesLater(folder: string, options: HoldOptions = {}): Promise<Dirent[]> {
  return holdingLater(folder, ({ through }) => readdir(through, { withFileTypes: true }), options);
}

/** Names in a folder. Throws like {@link entriesIn}. */
export function namesIn(folder: string): string[] {
  return holding(folder, ({ through }) => readdirSync(through));
}
