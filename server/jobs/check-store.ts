/** A look at every stored evaluation, and a back-up: both while a server runs or without one. */
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { SaeEvalError } from '../../src/errors.js';
import { missingPath } from '../../src/missing-path.js';
import { Database } from '../../src/sqlite/database.js';
import { changesOf, checkBeforeOpening, checkChanges } from './change-count.js';
import { damagedFile, resultHash } from './checksums.js';
import { layoutVersion } from './store-layout.js';
import { checked, columns, type Row } from './store-rows.js';

export interface StoreCheck {
  /** Number of stored evaluations, the damaged ones too. */
  evaluations: number;
  /** Ids of records that are not what was stored. */
  damaged: string[];
}

/** Version of a store's layout. @throws SaeEvalError `storage-damaged` if it is no database. */
function versionOf(db: Database, file: string): unknown {
  try {
    return db.pragma('user_version')[0]!['user_version'];
  } catch (thrown) {
    db.close();
    if ((thrown as NodeJS.ErrnoException).code !== 'SQLITE_NOTADB') throw thrown;
    throw damagedFile(file, 'not an SQLite database; expected the store of a server');
  }
}

/** @throws SaeEvalError `file-not-found`, `storage-damaged`, `configuration-invalid`. */
function openToRead(file: string): Database {
  checkBeforeOpening(file);
  if (!existsSync(file)) throw missingPath(file, { what: 'database' });
  const db = new Database(file, { readOnly: true });
  const version = versionOf(db, file);
  if (version === layoutVersion) return db;
  db.close();
  throw new SaeEvalError(
    'configuration-invalid',
    `${file} was written by another version of sae-eval; start this version's server on it once, ` +
      'or use that version.',
  );
}

function isSound(row: Row & { result: string | null }): boolean {
  try {
    checked(row);
    return row.result_hash === null || row.result_hash === resultHash(row.result);
  } catch {
    return false;
  }
}

/**
 * Checks the structure of a database, what was stored in it by number, and the checksums of all
 * records and results.
 * @throws SaeEvalError `storage-damaged` if it cannot be read or lacks what was stored.
 */
export function checkStore(file: string): StoreCheck {
  const db = openToRead(file);
  try {
    const [found] = db.pragma('integrity_check(1)') as { integrity_check: string }[];
    if (found !== undefined && found.integrity_check !== 'ok')
      throw damagedFile(file, found.integrity_check);
    checkChanges(file, changesOf(db));
    const ids = db.prepare('SELECT id FROM evaluations ORDER BY seq').all() as { id: string }[];
    const one = db.prepare(`SELECT ${columns}, result FROM evaluations WHERE id = ?`);
    const damaged = ids.flatMap(({ id }) =>
      isSound(one.get(id) as unknown as Row & { result: string | null }) ? [] : [id],
    );
    return { evaluations: ids.length, damaged };
  } finally {
    db.close();
  }
}

/**
 * Writes a back-up, which appears in one step and is a store of its own: whoever restores it has no
 * log to put back.
 * @returns the check of the back-up.
 * @throws SaeEvalError `configuration-invalid` if there is such a file, and what `checkStore`
 * throws.
 */
export function backUpStore(file: string, to: string): StoreCheck {
  if (existsSync(to))
    throw new SaeEvalError(
      'configuration-invalid',
      `${to} is there already; give the back-up another name, or remove it.`,
    );
  const folder = dirname(to);
  if (!existsSync(folder)) throw missingPath(folder, { what: 'folder for the back-up' });
  const part = `${to}.part`;
  rmSync(part, { force: true });
  try {
    const db = openToRead(file);
    try {
      db.prepare('VACUUM INTO ?').run(part);
    } finally {
      db.close();
    }
    chmodSync(part, 0o600);
    const copy = new Database(part);
    copy.exec(
      "UPDATE facts SET value = lower(hex(randomblob(16))) WHERE name = 'store';" +
        "DELETE FROM facts WHERE name = 'owner';",
    );
    copy.close();
    const found = checkStore(part);
    const handle = openSync(part, 'r');
    fsyncSync(handle);
    closeSync(handle);
    renameSync(part, to);
    return found;
  } finally {
    for (const ending of ['', '-wal', '-shm', '-journal'])
      rmSync(`${part}${ending}`, { force: true });
  }
}
