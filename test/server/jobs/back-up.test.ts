/**
 * `db check` and `db backup`, of a store that is open: what is damaged is named, copies are whole.
 */
import { copyFileSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { countFile } from '#server/jobs/change-count.js';
import { backUpStore, checkStore } from '#server/jobs/check-store.js';
import { Store } from '#server/jobs/store.js';
import { Database } from '#src/sqlite/database.js';
import { stateOf, steps } from '../../faults/store-steps.mjs';
import { temporaryFolder } from '../harness.js';

const folder = temporaryFolder();
const file = join(folder.path, 'jobs.db');
let store: Store;
beforeAll(() => {
  store = new Store(file);
  for (const step of steps) step(store);
});
afterAll(() => {
  store.close();
  folder.remove();
});

it('backs up a store while a server has it; the copy may be older than what was lost', () => {
  const copy = join(folder.path, 'copy.db');
  expect(backUpStore(file, copy)).toEqual({ evaluations: 3, damaged: [] });
  expect(statSync(copy).mode & 0o777).toBe(0o600);
  expect(() => backUpStore(file, copy)).toThrow(/copy\.db is there already/);
  expect(readdirSync(folder.path).filter((name) => name.includes('.part'))).toEqual([]);
  const state = stateOf(store);
  // Restored beside the count of a store that went on.
  writeFileSync(countFile(copy), JSON.stringify({ store: store.fact('store'), changes: 99 }));
  const restored = new Store(copy);
  expect(stateOf(restored)).toBe(state);
  expect(restored.fact('owner')).toBeNull();
  restored.close();
});

it('names the records that are damaged, and what is no store', () => {
  expect(checkStore(file)).toEqual({ evaluations: 3, damaged: [] });
  const bad = join(folder.path, 'bad.db');
  backUpStore(file, bad);
  const db = new Database(bad);
  db.exec("UPDATE evaluations SET result = replace(result, '0.9', '0.8') WHERE id = 'c'");
  db.close();
  expect(checkStore(bad)).toEqual({ evaluations: 3, damaged: ['c'] });
  // A back-up of it is made all the same: the rest is worth keeping.
  expect(backUpStore(bad, `${bad}.copy`)).toEqual({ evaluations: 3, damaged: ['c'] });
  const older = join(folder.path, 'older.db');
  copyFileSync(bad, older);
  writeFileSync(countFile(older), JSON.stringify({ store: older, changes: 99 }));
  expect(checkStore(older).evaluations).toBe(3);
  const copied = new Database(older);
  copied.prepare("UPDATE facts SET value = ? WHERE name = 'store'").run(older);
  copied.close();
  expect(() => checkStore(older)).toThrow(/lacks \d+ of 99 changes/);
  expect(() => checkStore(join(folder.path, 'none.db'))).toThrow(/there is no such database/);
  expect(existsSync(join(folder.path, 'none.db'))).toBe(false);
  const empty = join(folder.path, 'empty.db');
  writeFileSync(empty, '');
  expect(() => checkStore(empty)).toThrow(/another version/);
  const other = join(folder.path, 'other.db');
  writeFileSync(other, '{ "no": "database" }');
  expect(() => checkStore(other)).toThrow(/other\.db is damaged \(not an SQLite database/);
  const nowhere = join(folder.path, 'nowhere', 'copy.db');
  expect(() => backUpStore(file, nowhere)).toThrow(/nowhere: there is no such folder/);
});
