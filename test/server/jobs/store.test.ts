/** The store's file: one of an earlier version is taken further when it is opened. */
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Store } from '#server/jobs/store.js';
import { resolvedRequestSchema } from '#src/schema/record.js';
import type { EvaluationResult } from '#src/schema/result.js';
import { Database } from '#src/sqlite/database.js';
import { smallRequest, temporaryFolder } from '../harness.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

it('opens a store of version 2, and lists what is in it', () => {
  const file = join(folder.path, 'old.db');
  let store = new Store(file);
  store.evaluations.insert({
    id: 'a',
    device: 'cpu',
    submittedBy: null,
    client: 'someone',
    request: resolvedRequestSchema.parse(smallRequest()),
    paths: [],
    idempotencyKey: null,
    bodyHash: 'hash',
    trace: {},
  });
  store.evaluations.insert({
    id: 'b',
    device: 'cpu',
    submittedBy: null,
    client: 'someone',
    request: resolvedRequestSchema.parse(smallRequest()),
    paths: [],
    idempotencyKey: null,
    bodyHash: 'hash',
    trace: {},
  });
  store.jobs.finish('b', 'succeeded', {
    result: {
      results: [{ label: 'TopK', kind: 'TopK', reference: { KLDiv: 3 }, strict: null }],
      timing: { seconds: 2 },
    } as unknown as EvaluationResult,
  });
  store.close();
  const db = new Database(file);
  db.exec(`CREATE TABLE changes (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     evaluation_id TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE
   ) STRICT;
   INSERT INTO changes (evaluation_id) VALUES ('a');
   ALTER TABLE evaluations DROP COLUMN checksum;
   ALTER TABLE evaluations DROP COLUMN outcome_checksum;
   ALTER TABLE evaluations DROP COLUMN result_hash;
   ALTER TABLE evaluations DROP COLUMN rerun_of;
   DROP INDEX evaluations_owner;
   DROP TRIGGER evaluation_inserted;
   DROP TRIGGER evaluation_changed;
   DROP TRIGGER evaluation_removed;
   DROP TABLE facts;
   ALTER TABLE evaluations DROP COLUMN process;
   DROP TABLE best_values;
   DROP TABLE listing;
   PRAGMA user_version = 2;`);
  db.close();

  store = new Store(file);
  expect(
    store.evaluations.list({ limit: 10, q: 'TINY-llama' }).items.map(({ headline }) => headline),
  ).toEqual([
    {
      saes: [{ label: 'TopK', kind: 'TopK', values: { 'reference.KLDiv': 3 } }],
      more: 0,
      seconds: 2,
    },
    null,
  ]);
  store.jobs.start('a');
  store.jobs.requeue('a');
  expect(store.evaluations.summary('a')).toMatchObject({ status: 'queued', attempts: 1 });
  store.evaluations.remove('a');
  expect(store.evaluations.summary('a')).toBeNull();
  store.close();
});
