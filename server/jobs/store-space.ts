/**
 * Gives back the disk space of removed evaluations: SQLite keeps it in the file, unless the file
 * was made to give it back in steps (https://sqlite.org/pragma.html#pragma_auto_vacuum).
 */
import type { Database } from '../../src/sqlite/database.js';

/** Bytes up to which a file of an earlier version is written anew at a start. */
const quicklyWritten = 64 * 1024 * 1024;
/** Free pages that stay, since the next evaluation needs some. */
const keptPages = 256;
/** Pages that one removal gives back at most, so that others do not wait. */
const mostPages = 8192;

const numberOf = (db: Database, pragma: string): number =>
  Number(Object.values(db.pragma(pragma)[0] ?? {})[0] ?? 0);

const incremental = 2;

/** Lets a new file shrink later. Call before the log is chosen. */
export function letShrink(db: Database): void {
  if (numberOf(db, 'page_count') === 0) db.pragma('auto_vacuum = INCREMENTAL');
}

/**
 * Writes the file of an earlier version anew, so that it can shrink: it takes as much room again.
 * Call when the file is known to be whole.
 * @param evenIfLarge whether one is written that takes some seconds for each gigabyte.
 */
export function rewriteToShrink(db: Database, { evenIfLarge }: { evenIfLarge: boolean }): void {
  if (numberOf(db, 'auto_vacuum') === incremental) return;
  const bytes = numberOf(db, 'page_count') * numberOf(db, 'page_size');
  if (!evenIfLarge && bytes > quicklyWritten) return;
  try {
    db.pragma('auto_vacuum = INCREMENTAL');
    db.exec('VACUUM');
  } catch {
    // There is no room for a second file; a later start tries again.
  }
}

/** Takes free pages out of the file. */
export function giveBackSpace(db: Database): void {
  const free = numberOf(db, 'freelist_count') - keptPages;
  // By `exec`, which goes through all its steps.
  if (free > 0) db.exec(`PRAGMA incremental_vacuum(${Math.min(free, mostPages)})`);
}
