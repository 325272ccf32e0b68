/** Evaluations that are no longer kept, and the space that they leave. */
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Store } from '#server/jobs/store.js';
import { Database } from '#src/sqlite/database.js';
import { faultLibrary, SystemFaults } from '../../faults/system-faults.js';
import {
  post,
  serve,
  smallRequest,
  spawnServer,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const saes = [{ kind: 'TopK', checkpoint: 'x.pt', label: 'x', layer: 1, k: 1 }];
const request = { model: 'm', dataset: { path: 'd' }, saes } as never;

/** Stores ended evaluations with a text of a megabyte each, the oldest first. */
function fill(file: string, ids: readonly string[]): void {
  const store = new Store(file);
  for (const id of ids) {
    store.evaluations.insert({
      ...{ id, request, device: 'cpu', submittedBy: null, client: 'c', paths: [], bodyHash: '' },
      ...{ idempotencyKey: null, trace: {} },
    });
    const message = 'x'.repeat(1_000_000);
    store.jobs.finish(id, 'failed', { error: { code: 'internal', message } });
    writeFileSync(store.sums.pathOf(id), 'sums');
  }
  store.close();
}
async function idsOf(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/v1/evaluations?limit=100`);
  return ((await answer.json()) as { items: { id: string }[] }).items.map(({ id }) => id);
}

describe('retention', () => {
  it('keeps the newest evaluations, and the file shrinks', async () => {
    const db = join(folder.path, 'number.db');
    const ids = Array.from({ length: 12 }, (_, i) => `e${i}`);
    fill(db, ids);
    expect(statSync(db).size).toBeGreaterThan(11_000_000);
    const store = new Store(db);
    store.evaluations.insert({
      ...{ id: 'waits', request, device: 'cuda:7', submittedBy: null, client: 'c', paths: [] },
      ...{ bodyHash: '', idempotencyKey: null, trace: {} },
    });
    store.close();
    const server = await serve(folder.path, { db, keepEvaluations: 3, roots: [folder.path] });
    try {
      await until(async () => (await idsOf(server.url)).length === 4, { what: 'the sweep' });
      expect(await idsOf(server.url)).toEqual(['waits', 'e11', 'e10', 'e9']);
      expect(existsSync(join(`${db}.sums`, 'e0.safetensors'))).toBe(false);
      expect(existsSync(join(`${db}.sums`, 'e9.safetensors'))).toBe(true);
      expect(statSync(db).size).toBeLessThan(6_000_000);
      const removed = await fetch(`${server.url}/v1/evaluations/e9`, { method: 'DELETE' });
      expect(removed.status).toBe(204);
    } finally {
      await server.close();
    }
  });

  it('removes what ended long ago; without a setting everything stays', async () => {
    const db = join(folder.path, 'age.db');
    fill(db, ['old']);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const without = await serve(folder.path, { db, roots: [folder.path] });
    expect(await idsOf(without.url)).toEqual(['old']);
    await without.close();
    fill(db, ['new']);
    const daysOf = (milliseconds: number): number => milliseconds / 24 / 3600_000;
    const kept = await serve(folder.path, { db, roots: [folder.path], keepDays: 1 });
    expect(await idsOf(kept.url)).toEqual(['new', 'old']);
    await kept.close();
    const server = await serve(folder.path, { db, roots: [folder.path], keepDays: daysOf(50) });
    await until(async () => (await idsOf(server.url)).length === 0, { what: 'the sweep' });
    await server.close();
  });
});

describe.skipIf(faultLibrary() === null)('a clock that is a year ahead', () => {
  const year = 365 * 24 * 3600;
  const place = join(folder.path, 'clock');
  const faults = new SystemFaults(place);
  const start = (): Promise<ServerProcess> =>
    spawnServer(place, {
      ...faults.environment,
      SAE_EVAL_KEEP_DAYS: '30',
      SAE_EVAL_KEEP_EVALUATIONS: '1000',
    });
  const untilDistrusted = (server: ServerProcess): Promise<void> =>
    until(() => server.output().includes('the clock has jumped'), { what: 'the distrust' });

  it('removes nothing: while the server runs, at its next start, or at a first start', async () => {
    mkdirSync(place);
    fill(join(place, 'jobs.db'), ['a', 'b']);
    faults.set([], { clock: 0 });
    let server = await start();
    try {
      await untilReady(server.url);
      faults.set([], { clock: year });
      // Its end is a reason to remove others.
      const { id } = (await (await post(server.url, smallRequest())).json()) as { id: string };
      await untilDistrusted(server);
      expect(await idsOf(server.url)).toEqual([id, 'b', 'a']);
      server.child.kill('SIGKILL');
      await server.ended;
      server = await start();
      await untilDistrusted(server);
      expect(await idsOf(server.url)).toEqual([id, 'b', 'a']);
      server.child.kill('SIGKILL');
      await server.ended;
      // As an earlier version left it, which noted no date.
      const db = new Database(join(place, 'jobs.db'));
      db.exec(
        "DELETE FROM facts WHERE name = 'last-date'; DELETE FROM evaluations WHERE " +
          `id = '${id}'`,
      );
      db.close();
      server = await start();
      await untilDistrusted(server);
      expect(await idsOf(server.url)).toEqual(['b', 'a']);
    } finally {
      server.child.kill('SIGKILL');
      await server.ended;
    }
  });
});
