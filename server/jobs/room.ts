/** Tests whether a disk has room for a journal by writing to it, which respects quotas too. */
import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { asSaeEvalError } from '../../src/errors.js';

/** Bytes for a first journal and for SQLite beside it. */
const atLeast = 256 * 1024;

/**
 * Writes a file of the size of the next journal beside the journal, then removes it. Any other
 * fault than a full disk counts as room: a run goes on without a journal that cannot be written.
 */
export function hasRoomFor(journal: string): boolean {
  const part = `${journal}.part`;
  try {
    const bytes = atLeast + 2 * (statSync(journal, { throwIfNoEntry: false })?.size ?? 0);
    const file = openSync(part, 'w', 0o600);
    try {
      const block = Buffer.alloc(64 * 1024);
      for (let written = 0; written < bytes;) written += writeSync(file, block);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return true;
  } catch (thrown) {
    return asSaeEvalError(thrown).code !== 'storage-full';
  } finally {
    remove(part);
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The next journal replaces it.
  }
}
