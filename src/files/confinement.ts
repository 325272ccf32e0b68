/**
 * The folders in which the files of requests may lie. A process that reads untrusted files for a
 * server is told them with each request; a process of the command line may read everything that its
 * user may.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { SaeEvalError } from '../errors.js';

/** Real paths of folders; null: everything may be read. */
export type Within = readonly string[] | null;

let folders: Within = null;

/** Says in which folders this process may read the files of requests. */
export function confineTo(within: Within): void {
  folders = within;
}

/** Folders that this process may read; a worker thread must be told them again. */
export function confinedTo(): Within {
  return folders;
}

/** Whether a path is a folder or lies below it, by its text alone. */
export function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** Whether a path lies in the folders that may be read, by its text alone. */
export function isNamedWithin(path: string, within: Within = folders): boolean {
  return within === null || within.some((folder) => isBelow(folder, resolve(path)));
}

/** The error of a path whose target may not be read. It tells nothing of the target. */
export function leadsOutside(path: string): SaeEvalError {
  return new SaeEvalError(
    'path-outside-roots',
    `'${path}' leads outside the server's root folders; expected a path below one of them, such ` +
      "as 'checkpoints/model'.",
  );
}

/** Links that are followed, as in Linux. */
const mostLinks = 40;

/**
 * Whether a path that leads to nothing leaves the folders on its way. Links are followed as texts,
 * and nothing outside is touched, so that nobody learns whether it exists.
 */
export function leavesOnItsWay(path: string, within: readonly string[]): boolean {
  const holds = (one: string): boolean => within.some((folder) => isBelow(folder, one));
  let waiting: string[] = [];
  let at = '';
  const begin = (target: string, behind: readonly string[]): boolean => {
    const folder = within.find((one) => target === one || target.startsWith(join(one, sep)));
    if (folder === undefined) return false;
    at = folder;
    waiting = [...target.slice(folder.length).split(sep), ...behind];
    return true;
  };
  if (!begin(resolve(path), [])) return true;
  for (let links = 0; waiting.length > 0;) {
    const name = waiting.shift()!;
    if (name === '' || name === '.') continue;
    const next = name === '..' ? dirname(at) : join(at, name);
    if (!holds(next)) return true;
    let target: string | null;
    try {
      target = lstatSync(next).isSymbolicLink() ? readlinkSync(next) : null;
    } catch {
      return false; // It breaks off here, inside.
    }
    if (target === null) {
      at = next;
      continue;
    }
    if (++links > mostLinks) return false;
    if (!isAbsolute(target)) waiting = [...target.split(sep), ...waiting];
    else if (!begin(target, waiting)) return true;
  }
  return false;
}
