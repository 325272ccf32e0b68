/**
 * Keeps a store to one server. Two servers would both resume what was left running, kill each
 * other's compute processes and write the same journals. The lock is SQLite's lock on a file beside
 * the store, so the system releases it however the server ends.
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { SaeEvalError } from '../../src/errors.js';
import { Database } from '../../src/sqlite/database.js';
import { ownerOnlyFile } from './owner-only.js';
import { makeFolder } from '../../src/files/index.js';

const betweenTries = 100;

/** Path without links: whatever path leads to a store, its lock is the same. */
function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return join(realpathSync(dirname(file)), basename(file));
  }
}

function openLock(file: string): Database {
  try {
    makeFolder(dirname(file));
    const lock = `${realPath(file)}.lock`;
    ownerOnlyFile(lock);
    return new Database(lock, { busyTimeout: 0 });
  } catch (cause) {
    if (cause instanceof SaeEvalError) throw cause;
    throw new SaeEvalError(
      'configuration-invalid',
      `The store ${file} cannot be opened ` +
        `(${cause instanceof Error ? cause.message : String(cause)}); give a writable file with ` +
        '--db.',
      { cause },
    );
  }
}

/**
 * Locks a store, and waits meanwhile for a server that is stopping.
 *
 * @returns a function that releases the lock.
 * @throws SaeEvalError `configuration-invalid` if another server holds it after `patienceMs`.
 */
export async function lockStore(
  file: string,
  { patienceMs }: { patienceMs: number },
): Promise<() => void> {
  const db = openLock(file);
  for (const until = performance.now() + patienceMs; ; await setTimeout(betweenTries)) {
    try {
      db.exec('BEGIN EXCLUSIVE');
      return () => void db.close();
    } catch (thrown) {
      if ((thrown as { code?: string }).code === 'SQLITE_BUSY' && performance.now() < until)
        continue;
      db.close();
      if ((thrown as { code?: string }).code !== 'SQLITE_BUSY') throw thrown;
      throw new SaeEvalError(
        'configuration-invalid',
        `${file} is in use by another server; stop that server, or give another file with --db.`,
        { cause: thrown },
      );
    }
  }
}
