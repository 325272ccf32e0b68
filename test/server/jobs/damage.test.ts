/** A store that the disk has damaged: what is damaged is told and never served, the rest is. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { Store } from '#server/jobs/store.js';
import { SaeEvalClient } from '#src/client/index.js';
import { resolvedRequestSchema } from '#src/schema/record.js';
import { Database } from '#src/sqlite/database.js';
import { root } from '../../golden/load.js';
import { serve, smallRequest, temporaryFolder, until } from '../harness.js';

const folder = temporaryFolder();
const sound = join(folder.path, 'sound.db');
const ids = Array.from({ length: 12 }, (_, i) => `evaluation-${i}`);
/** A result of another release will do: the store does not look into it. */
const result = { numbers: Array.from({ length: 400 }, (_, i) => Math.sin(i)) } as never;

beforeAll(() => {
  const store = new Store(sound);
  for (const id of ids) {
    store.evaluations.insert({
      id,
      device: 'cpu',
      submittedBy: null,
      client: 'someone',
      request: resolvedRequestSchema.parse(smallRequest()),
      paths: [],
      idempotencyKey: null,
      bodyHash: 'hash',
      trace: {},
    });
    store.jobs.start(id);
    store.jobs.setProgress(id, {
      samples: 8,
      total: 8,
      batches: 2,
      samplesPerSecond: 3.5,
      secondsLeft: 0,
      skipped: [],
    });
    store.jobs.finish(id, 'succeeded', { result });
  }
  store.close();
});
afterAll(() => folder.remove());

function copy(name: string): string {
  const file = join(folder.path, name);
  copyFileSync(sound, file);
  return file;
}

describe('a stored evaluation', () => {
  it.each([
    'device',
    'client',
    'request',
    'status',
    'created_at',
    'started_at',
    'ended_at',
    'attempts',
    'progress',
    'result',
    'result_hash',
    'checksum',
    'outcome_checksum',
  ])('is not served if its %s is not what was stored; the others are', (column) => {
    const file = copy(`${column}.db`);
    const db = new Database(file);
    db.prepare(
      `UPDATE evaluations SET ${column} = ` +
        (column === 'attempts'
          ? 'attempts + 1'
          : `replace(${column}, substr(${column}, -3, 1), '%')`) +
        ' WHERE id = ?',
    ).run(ids[3]);
    db.close();
    const store = new Store(file);
    expect(() => store.evaluations.record(ids[3]!)).toThrow(
      expect.objectContaining({
        code: 'storage-damaged',
        message: expect.stringMatching(/evaluation-3 is damaged.*back-up.*DELETE/) as string,
      }),
    );
    const { items, damaged } = store.evaluations.list({ limit: 100 });
    // a list does not read results
    if (column !== 'result') expect(damaged).toEqual([ids[3]]);
    expect(items).toHaveLength(column === 'result' ? 12 : 11);
    expect(store.evaluations.damaged(100)).toEqual([ids[3]]);
    for (const id of ids)
      if (id !== ids[3]) expect(store.evaluations.record(id)!.result).toEqual(result);
    store.close();
  });

  it('is served as it was stored or not at all, whichever bits flip in the file', () => {
    const expected = new Store(sound);
    const records = new Map(ids.map((id) => [id, expected.evaluations.record(id)]));
    expected.close();
    const bytes = readFileSync(sound);
    let told = 0;
    for (let round = 0; round < 10; round++) {
      const flipped = Buffer.from(bytes);
      let state = round + 1;
      for (let flip = 0; flip < 20; flip++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        // the first page has the schema; a file without it is refused by SQLite itself
        const place = 4096 + Math.floor((state / 2 ** 32) * (flipped.length - 4096));
        flipped[place]! ^= 1 << (state & 7);
      }
      const file = join(folder.path, `flipped-${round}.db`);
      writeFileSync(file, flipped);
      let store: Store | null = null;
      try {
        store = new Store(file);
        for (const id of ids) {
          try {
            const record = store.evaluations.record(id);
            if (record !== null) expect(record).toEqual(records.get(id));
          } catch (thrown) {
            if ((thrown as { code?: string }).code === undefined) throw thrown;
            told += 1;
          }
        }
      } catch (thrown) {
        expect((thrown as { code?: string }).code).toMatch(/storage-damaged|SQLITE_/);
        told += 1;
      } finally {
        store?.close();
      }
    }
    expect(told).toBeGreaterThan(10);
  });
});

describe('a database file', () => {
  it('whose structure is damaged is refused with the way to repair it', () => {
    const file = copy('structure.db');
    const handle = openSync(file, 'r+');
    // headers of pages in the middle
    for (let page = 2; page < statSync(file).size / 4096; page += 2)
      writeSync(handle, Buffer.alloc(64, 0xff), 0, 64, page * 4096);
    closeSync(handle);
    expect(() => new Store(file)).toThrow(
      expect.objectContaining({
        code: 'storage-damaged',
        message: expect.stringMatching(/structure\.db is damaged .*sqlite3 .*\.recover/) as string,
      }),
    );
  });
});

describe('a server on a store with damaged records', () => {
  let server: RunningServer;
  let client: SaeEvalClient;

  beforeAll(async () => {
    const file = copy('jobs.db');
    const store = new Store(file);
    for (const id of ['waiting-1', 'waiting-2'])
      store.evaluations.insert({
        id,
        device: 'cpu',
        submittedBy: null,
        client: 'someone',
        request: resolvedRequestSchema.parse(smallRequest()),
        paths: ['checkpoints/tiny-llama', 'checkpoints/eval', 'checkpoints/TopK_tiny.pt'].map(
          (name) => ({ name, path: `${root}${name}` }),
        ),
        idempotencyKey: null,
        bodyHash: 'hash',
        trace: {},
      });
    store.close();
    const db = new Database(file);
    db.prepare("UPDATE evaluations SET result = replace(result, '0.9', '0.8') WHERE id = ?").run(
      ids[0],
    );
    db.prepare('UPDATE evaluations SET request = substr(request, 1, 50) WHERE id = ?').run(
      'waiting-1',
    );
    db.close();
    server = await serve(folder.path);
    client = new SaeEvalClient(server.url, { retries: 0 });
  });
  afterAll(() => server.close());

  it('tells of them, serves the others, and runs what waits behind them', async () => {
    await expect(client.get(ids[0]!)).rejects.toMatchObject({
      status: 500,
      code: 'storage-damaged',
    });
    expect((await client.summary(ids[1]!)).status).toBe('succeeded');
    await until(async () => (await client.summary('waiting-2')).status === 'succeeded', {
      what: 'the one behind the damaged one',
    });
    const { items, damaged } = await client.list({ limit: 100 });
    expect(damaged).toEqual(['waiting-1']);
    expect(items).toHaveLength(13);
    const sums = await fetch(`${server.url}/v1/evaluations/waiting-2/sums`);
    expect(sums.headers.get('content-type')).toBe('application/octet-stream');
    const file = join(folder.path, 'jobs.db.sums', 'waiting-2.safetensors');
    expect(Buffer.from(await sums.arrayBuffer())).toEqual(readFileSync(file));
    expect((await fetch(`${server.url}/v1/evaluations/${ids[1]}/sums`)).status).toBe(404);
    for (const id of ['waiting-1', ids[0]!]) await client.remove(id);
    expect((await client.list({ limit: 100 })).damaged).toEqual([]);
    expect(items[0]).not.toHaveProperty('result');
    expect(await client.summary('waiting-2')).not.toHaveProperty('result');
    await client.remove('waiting-2');
    expect(existsSync(file)).toBe(false);
  });
});
