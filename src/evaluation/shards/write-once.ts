/**
 * Files that appear once: whoever is first writes them, everybody else finds them. They hold on
 * network file systems too, which have no locks: `link` either makes the name or finds it taken.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** A path beside `path` that no other process uses. */
export function partOf(path: string): string {
  const own = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  return join(dirname(path), `.${basename(path)}.${own}.part`);
}

function isCode(thrown: unknown, ...codes: string[]): boolean {
  return codes.includes((thrown as NodeJS.ErrnoException).code ?? '');
}

/**
 * Gives a finished file its name, unless the name is taken.
 * @returns whether this file got it. The part is gone either way.
 */
export function takeName(part: string, path: string): boolean {
  try {
    linkSync(part, path);
    return true;
  } catch (thrown) {
    if (isCode(thrown, 'EEXIST')) {
      // A client of NFS repeats a call whose answer was lost, and then finds its own link.
      return sameFile(part, path);
    }
    // A file system without links: of two that come at once the later one stays.
    if (!isCode(thrown, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw thrown;
    if (exists(path)) return false;
    renameSync(part, path);
    return true;
  } finally {
    rmSync(part, { force: true });
  }
}

function sameFile(part: string, path: string): boolean {
  try {
    const [a, b] = [part, path].map((one) => readFileSync(one));
    return a!.equals(b!);
  } catch {
    return false;
  }
}

/** Whether there is a file that can be opened: lists of folders may be old on network systems. */
export function exists(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch (thrown) {
    if (isCode(thrown, 'ENOENT', 'ENOTDIR')) return false;
    throw thrown;
  }
}

/**
 * Writes a text once.
 * @returns the text that stands there: this one, or that of whoever was first.
 */
export function writeOnce(path: string, text: string): string {
  const part = partOf(path);
  try {
    const file = openSync(part, 'wx', 0o644);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (thrown) {
    rmSync(part, { force: true });
    throw thrown;
  }
  return takeName(part, path) ? text : readFileSync(path, 'utf8');
}

/** The text of a file; null if there is none. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if (isCode(thrown, 'ENOENT', 'ENOTDIR')) return null;
    throw thrown;
  }
}
