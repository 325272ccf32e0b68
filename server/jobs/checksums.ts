/**
 * Checksums of stored evaluations. SQLite has none of its own: a bit that a disk flips in a text
 * would be read as if it were right. One checksum is over what was submitted, one over how it
 * ended; the result has its own, so that lists need not read it.
 */
import { createHash } from 'node:crypto';
import { SaeEvalError } from '../../src/errors.js';

/** Columns that never change after the submission. */
export interface SubmittedColumns {
  id: string;
  device: string;
  submitted_by: string | null;
  client: string;
  request: string;
  paths: string;
  created_at: string;
  rerun_of: string | null;
}

/** Columns that never change after the end. */
export interface EndedColumns {
  id: string;
  status: string;
  started_at: string | null;
  ended_at: string | null;
  attempts: number;
  progress: string | null;
  error: string | null;
  result_hash: string | null;
}

const digestOf = (values: readonly (string | null)[]): string =>
  createHash('sha256').update(JSON.stringify(values)).digest('hex');

export function submissionChecksum(row: SubmittedColumns): string {
  const { id, device, submitted_by: by, client, request, paths, created_at: at } = row;
  // Rows of 0.1.0 have no origin, and keep the checksum that they have.
  const origin = row.rerun_of === null ? [] : [row.rerun_of];
  return digestOf([id, device, by, client, request, paths, at, ...origin]);
}

export function outcomeChecksum(row: EndedColumns): string {
  const { id, status, started_at: started, ended_at: ended, attempts, progress } = row;
  return digestOf([
    id,
    status,
    started,
    ended,
    String(attempts),
    progress,
    row.error,
    row.result_hash,
  ]);
}

export const resultHash = (result: string | null): string | null =>
  result === null ? null : digestOf([result]);

/** The error of a record that is not what was stored. */
export function damagedRecord(id: string): SaeEvalError {
  return new SaeEvalError(
    'storage-damaged',
    `The stored record of evaluation ${id} is damaged: its checksum does not fit, so it is not ` +
      'shown. Restore the database from a back-up, or remove the record (DELETE) and evaluate ' +
      'again. Check the disk: it returned other bytes than were written.',
  );
}

/** The error of a database file that SQLite cannot read. */
export function damagedFile(file: string, reason: string): SaeEvalError {
  return new SaeEvalError(
    'storage-damaged',
    `${file} is damaged (${reason.replaceAll(/\s+/g, ' ')}). Restore it from a back-up, or save ` +
      'what can be read: ' +
      `sqlite3 ${file} .recover | sqlite3 recovered.db, then start with --db recovered.db.`,
  );
}
