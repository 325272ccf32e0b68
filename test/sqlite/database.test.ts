/**
 * SQLite by Node's own module or by better-sqlite3, whichever this Node has: the same rows and
 * codes of errors. The matrix of installs runs it on each (test/package/install-matrix.mjs).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Database } from '#src/sqlite/database.js';
import { root } from '../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const codeOf = (action: () => unknown): unknown => {
  try {
    action();
  } catch (thrown) {
    return (thrown as { code?: unknown }).code;
  }
  return 'nothing was thrown';
};

it('gives rows, and numbers for integers of any size', () => {
  const db = new Database(':memory:');
  db.exec('CREATE TABLE t (n INTEGER, text TEXT) STRICT');
  const insert = db.prepare('INSERT INTO t VALUES (?, ?)');
  insert.run(3, 'a');
  db.exec("INSERT INTO t VALUES (9223372036854775807, 'as a damaged file may hold')");
  expect(db.prepare('SELECT n FROM t WHERE text = @text').get({ text: 'a' })).toEqual({ n: 3 });
  expect(db.prepare('SELECT n FROM t ORDER BY n LIMIT ?').all(2)).toEqual([
    { n: 3 },
    { n: 2 ** 63 },
  ]);
  expect(db.prepare('SELECT n FROM t WHERE text = ?').get('none')).toBeUndefined();
  expect(db.pragma('synchronous = FULL')).toEqual([]);
  expect(db.pragma('user_version')).toEqual([{ user_version: 0 }]);
  db.close();
});

it('undoes a transaction that throws', () => {
  const db = new Database(':memory:');
  db.exec('CREATE TABLE t (n INTEGER)');
  const add = db.prepare('INSERT INTO t VALUES (?)');
  expect(db.transaction(() => (add.run(1), 'done'))).toBe('done');
  const fail = (): never => {
    add.run(2);
    throw new Error('on purpose');
  };
  expect(() => db.transaction(fail)).toThrow('on purpose');
  expect(db.prepare('SELECT n FROM t').all()).toEqual([{ n: 1 }]);
  db.close();
});

it('names the errors of SQLite by their codes', () => {
  const file = join(folder, 'file:a.db');
  const first = new Database(file);
  first.exec('CREATE TABLE t (n INTEGER UNIQUE)');
  const second = new Database(file, { busyTimeout: 0 });
  first.exec('BEGIN EXCLUSIVE');
  expect(codeOf(() => second.exec('BEGIN IMMEDIATE'))).toBe('SQLITE_BUSY');
  first.exec('ROLLBACK');
  first.prepare('INSERT INTO t VALUES (?)').run(1);
  expect(codeOf(() => first.prepare('INSERT INTO t VALUES (?)').run(1))).toMatch(
    /^SQLITE_CONSTRAINT/,
  );
  expect(codeOf(() => first.prepare('SELECT nothing FROM t'))).toBe('SQLITE_ERROR');
  first.close();
  second.close();
  expect(codeOf(() => new Database(folder))).toBe('SQLITE_CANTOPEN');
  const other = join(folder, 'other.db');
  writeFileSync(other, 'no database'.repeat(500));
  expect(codeOf(() => new Database(other).pragma('quick_check(1)'))).toBe('SQLITE_NOTADB');
  const reader = new Database(file, { readOnly: true });
  expect(codeOf(() => reader.exec('DELETE FROM t'))).toBe('SQLITE_READONLY');
  reader.close();
});

it('opens without a warning', () => {
  const script =
    `const { Database } = await import('${join(root, 'dist/src/sqlite/database.js')}');` +
    "new Database(':memory:').close(); process.emitWarning('still heard');";
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/^\(node:\d+\) Warning: still heard\n/);
  expect(stderr).not.toContain('xperimental');
});
