/** Keeps files and folders of the store to their owner: they hold what everybody evaluated. */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { makeFolder } from '../../src/files/index.js';

function tighten(path: string): void {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o77) !== 0) chmodSync(path, mode & 0o700);
  } catch {
    // It is not there, or another user's; who opens it says so.
  }
}

/** Makes a database file that only its owner may read, or makes it so, its log included. */
export function ownerOnlyFile(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
  } catch {
    // SQLite says what is wrong.
  }
  for (const end of ['', '-wal', '-shm']) tighten(`${file}${end}`);
}

/** Makes a folder that only its owner may read, or makes it so. */
export function ownerOnlyFolder(folder: string): void {
  makeFolder(folder, { mode: 0o700 });
  tighten(folder);
}
