/**
 * The number of the store's changes, in a file beside the database. SQLite drops, without a word,
 * what a lost or damaged write-ahead log held; a database with fewer changes than this file tells
 * of it. The file is written after each commit, so it never says more than was stored.
 */
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import type { Database } from '../../src/sqlite/database.js';

export interface Changes {
  /** Identity of the store, which a back-up of `sae-eval db backup` does not share. */
  store: string;
  changes: number;
}

const query =
  "SELECT max(CASE name WHEN 'store' THEN value END) AS store, " +
  "max(CASE name WHEN 'changes' THEN value END) AS changes FROM facts";

/** Count that a database itself holds. */
export const changesOf = (db: Database): Changes => db.prepare(query).get() as unknown as Changes;

const changesSchema = z.object({ store: z.string(), changes: z.number() });
/** Bytes of the file: one write replaces all of it. */
const length = 128;

export const countFile = (database: string): string => `${database}.count`;

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Content of the file; null if there is none, or none that can be read. */
export function notedChanges(database: string): Changes | null {
  try {
    return changesSchema.parse(JSON.parse(readFileSync(countFile(database), 'utf8')));
  } catch {
    return null;
  }
}

function lost(database: string, what: string): SaeEvalError {
  return new SaeEvalError(
    'storage-damaged',
    `${database} ${what}. Put back what is missing, or restore a back-up. To go on with what is ` +
      `there, remove ${countFile(database)}.`,
  );
}

/**
 * Checks a database before SQLite opens it, which would remove the log of an empty one.
 * @throws SaeEvalError `storage-damaged`.
 */
export function checkBeforeOpening(database: string): void {
  const there = statSync(database, { throwIfNoEntry: false });
  if (there !== undefined && there.size > 0) return;
  const noted = notedChanges(database)?.changes ?? 0;
  const log = `${database}-wal`;
  if (sizeOf(log) > 0)
    throw new SaeEvalError(
      'storage-damaged',
      `${database} is ${there === undefined ? 'missing' : 'empty'}, but its write-ahead log ` +
        `${log} is not. Put the database back, or restore a back-up; to begin with an empty ` +
        'store, remove both.',
    );
  if (there !== undefined && noted > 0)
    throw lost(database, `is empty, but ${noted} changes were stored in it`);
}

/** @throws SaeEvalError `storage-damaged` if the database has fewer changes than were stored. */
export function checkChanges(database: string, { store, changes }: Changes): void {
  const noted = notedChanges(database);
  if (noted === null || noted.store !== store || noted.changes <= changes) return;
  throw lost(
    database,
    `lacks ${noted.changes - changes} of ${noted.changes} changes that were stored: its ` +
      `write-ahead log ${database}-wal was removed or damaged, or it is an older copy`,
  );
}

/** Writes the file. A failure is none: the file then says too little, which is safe. */
export class ChangeCount {
  #file: number | null = null;
  #noted = -1;

  constructor(private readonly database: string) {}

  note({ store, changes }: Changes): void {
    if (changes === this.#noted) return;
    try {
      this.#file ??= openSync(countFile(this.database), 'w', 0o600);
      const line = `${JSON.stringify({ store, changes }).padEnd(length - 1)}\n`;
      writeSync(this.#file, line, 0, 'utf8');
      this.#noted = changes;
    } catch {
      // The next change tries again.
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}
