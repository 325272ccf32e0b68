/**
 * A server whose system fails it: errors on its database and its journals that pass, kills at calls
 * on its store, a clock that is set back. Nothing is lost, doubled or wrong, and everything goes on
 * by itself.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SaeEvalClient } from '#src/client/index.js';
import { full } from '../full.js';
import {
  smallRequest,
  spawnServer,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../server/harness.js';
import {
  errorNames,
  faultLibrary,
  randomNumbers,
  sample,
  SystemFaults,
  type Fault,
} from './system-faults.js';

const folder = temporaryFolder();
const request = smallRequest({
  dataset: { path: 'checkpoints/eval', maxSamples: 48, seqLen: 16 },
  batchSize: 4,
});
const database = '*/jobs.db*';
const journals = '*/jobs.db.journals/*';
let server: ServerProcess;
let client: SaeEvalClient;
let faults: SystemFaults;
let expected: string;

async function start(): Promise<void> {
  server = await spawnServer(folder.path, faults.environment);
  client = new SaeEvalClient(server.url, { retries: 0 });
  await untilReady(server.url);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Numbers of an evaluation that has ended well. */
async function numbers(id: string, what: string): Promise<string> {
  await until(
    async () => {
      const { status } = await client.summary(id);
      return status !== 'running' && status !== 'queued';
    },
    { what: `the end of ${what}`, seconds: 120 },
  );
  const { error, result } = await client.get(id);
  expect(error, what).toBeNull();
  return JSON.stringify(result!.results);
}

describe.skipIf(faultLibrary() === null)('a server', () => {
  beforeAll(async () => {
    mkdirSync(join(folder.path, 'faults'));
    faults = new SystemFaults(join(folder.path, 'faults'), database);
    faults.clear();
    await start();
    expected = await numbers((await client.evaluate(request)).id, 'an undisturbed run');
  });
  afterAll(async () => {
    faults.clear();
    server.child.kill('SIGTERM');
    await server.ended;
    folder.remove();
  });

  it('goes on by itself after any error of its disk', { timeout: 3e6 }, async () => {
    const rounds = errorNames.flatMap((then) =>
      [database, journals].flatMap((path) =>
        ([1, 'for ever'] as const).map((count): Fault => ({ call: 'any', path, then, count })),
      ),
    );
    const done = full
      ? rounds
      : [
          ...sample(
            rounds.filter(({ path }) => path === database),
            1,
            11,
          ),
          ...sample(
            rounds.filter(({ path }) => path === journals),
            1,
            12,
          ),
        ];
    for (const fault of done) {
      const what = JSON.stringify(fault);
      const ids = [(await client.evaluate(request)).id, (await client.evaluate(request)).id];
      await until(async () => (await client.summary(ids[0]!)).status !== 'queued', { what });
      faults.set([fault]);
      await pause(fault.count === 1 ? 200 : 1500);
      expect((await fetch(`${server.url}/healthz`)).status, what).toBe(200);
      faults.clear();
      for (const id of ids) expect(await numbers(id, what), what).toBe(expected);
      await until(async () => (await fetch(`${server.url}/readyz`)).status === 200, { what });
    }
    if (full) console.warn(`${done.length} faults of a server: 0 lost, 0 wrong`);
  });

  it('tells of progress and of the end though the clock is set back by an hour', async () => {
    const long = smallRequest({
      dataset: { path: 'checkpoints/eval', maxSamples: 400, seqLen: 64 },
      batchSize: 4,
    });
    const { id } = await client.evaluate(long);
    const seen: { event: string; id: string }[] = [];
    const stream = new AbortController();
    const watching = (async () => {
      for await (const { event, id: eventId } of client.watch(id, { signal: stream.signal }))
        seen.push({ event, id: eventId });
    })().catch(() => {});
    const progresses = (): number => seen.filter(({ event }) => event === 'progress').length;
    await until(() => progresses() >= 2, { what: 'progress' });
    faults.set([], { clock: -3600 });
    await pause(100);
    const before = progresses();
    await until(() => progresses() >= before + 2, { what: 'progress after the jump' });
    const lastSeen = seen.at(-1)!.id;
    stream.abort();
    await watching;
    await client.cancel(id);
    await until(async () => (await client.summary(id)).status === 'cancelled', { what: 'the end' });
    const { createdAt, startedAt, endedAt } = await client.summary(id);
    expect([createdAt, startedAt, endedAt]).toEqual([createdAt, startedAt, endedAt].sort());
    const rest = await fetch(`${server.url}/v1/evaluations/${id}/events`, {
      headers: { 'last-event-id': lastSeen },
    });
    expect(await rest.text()).toContain('event: end');
    faults.clear();
  });

  it(
    'loses and doubles nothing if it is killed at a call on its store',
    {
      timeout: 3e6,
    },
    async () => {
      const random = randomNumbers(21);
      const rounds = full ? 24 : 1;
      const { items: before } = await client.list({ limit: 100 });
      const ids = before.map(({ id }) => id);
      for (let round = 0; round < rounds; round++) {
        const first = 1 + Math.floor(random() * 40);
        const then = random() < 0.5 ? 'kill before' : 'kill after';
        const what = `round ${round}: ${then} call ${first}`;
        faults.set([{ call: 'any', path: database, first, count: 1, then }]);
        const options = { idempotencyKey: `round ${round}` };
        const accepted = await client.evaluate(request, options).catch(() => null);
        await Promise.race([server.ended, pause(4000)]);
        faults.clear();
        if (server.child.exitCode === null && server.child.signalCode === null)
          server.child.kill('SIGKILL');
        await server.ended;
        await start();
        // Sent again, as a client would whose answer was lost.
        const { id } = await client.evaluate(request, options);
        if (accepted !== null) expect(id, what).toBe(accepted.id);
        expect(await numbers(id, what), what).toBe(expected);
        ids.push(id);
      }
      const { items, damaged } = await client.list({ limit: 100 });
      expect(items.map(({ id }) => id).sort()).toEqual(ids.sort());
      expect(damaged).toEqual([]);
      await until(() => readdirSync(join(folder.path, 'jobs.db.journals')).length === 0, {
        what: 'the journals to be gone',
      });
      if (full) console.warn(`${rounds} kills of a server: 0 lost, 0 doubled, 0 wrong`);
    },
  );
});
