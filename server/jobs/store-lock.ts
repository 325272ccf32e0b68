/**
 * One server to a store. Two would both take up what was left running, kill each other's compute
 * processes and write the same journals. The lock is SQLite's on a file beside the store: the
 * system gives it back however a server ends.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { SaeEvalError } from '../../src/errors.js';

const betweenTries = 100;

function openLock(file: string): Database.Database {
  try {
    mkdirSync(dirname(file), { recursive: true });
    return new Database(`${file}.lock`, { timeout: 0 });
  } catch (cause) {
    throw new SaeEvalError(
      'configuration-invalid',
      `The store ${file} cannot be opened ` +
        `(${cause instanceof Error ? cause.message : String(cause)}); give a file that this ` +
        'user may write with --db.',
      { cause },
    );
  }
}

/**
 * Waits for a server that is stopping, so that one can be replaced by the next.
 * @returns what gives the lock back. @throws SaeEvalError `configuration-invalid` when another
 *   server still has it after `patienceMs`.
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
        `${file} belongs to another server that is running; stop that one, or give another ` +
          'file with --db.',
        { cause: thrown },
      );
    }
  }
}
