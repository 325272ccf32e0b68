/**
 * Nothing is lost: the server, the compute process or both are killed at random moments; the
 * results have the same bytes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SaeEvalClient } from '#src/client/index.js';
import { Database } from '#src/sqlite/database.js';
import { full } from '../../full.js';
import { isRunning } from '../../running.js';
import {
  childProcesses,
  computeProcesses,
  post,
  smallRequest,
  spawnServer,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';

const folder = temporaryFolder();
/** Settings of a server that does not wait long for the one before it. */
const quick = join(folder.path, 'quick.json');
let server: ServerProcess;
let client: SaeEvalClient;
const request = smallRequest({
  dataset: { path: 'checkpoints/eval', maxSamples: 48, seqLen: 64 },
  batchSize: 4,
  saes: [
    { kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 },
    { kind: 'RouteSAE', checkpoint: 'checkpoints/RouteSAE_tiny.pt', k: 16 },
  ],
});

/** Seeded, so that a failing round can be run again. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function start(): Promise<void> {
  server = await spawnServer(folder.path);
  client = new SaeEvalClient(server.url);
}

beforeAll(async () => {
  writeFileSync(quick, '{ "grace": 0.3 }');
  await start();
  await untilReady(server.url);
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  folder.remove();
});

describe('kill -9', () => {
  const rounds = full ? 20 : 1;

  it(
    `of the server, the compute process or both: ${rounds} rounds end with the same bytes`,
    { timeout: full ? 900_000 : 120_000 },
    async () => {
      const before = performance.now();
      const undisturbed = await client.evaluate(request, { wait: true });
      const duration = performance.now() - before;
      const expected = JSON.stringify(undisturbed.result!.results);
      const random = randomNumbers(42);
      const ids = [undisturbed.id];

      for (let round = 0; round < rounds; round++) {
        const victim = (['both', 'compute', 'server'] as const)[round % 3]!;
        const { id } = await client.evaluate(request, { idempotencyKey: `round ${round}` });
        ids.push(id);
        await new Promise((resolve) => setTimeout(resolve, duration * (0.1 + 0.8 * random())));
        const children = computeProcesses(server.child.pid!);
        if (victim !== 'server') for (const pid of children) process.kill(pid, 'SIGKILL');
        if (victim !== 'compute') {
          server.child.kill('SIGKILL');
          await server.ended;
          await start();
        }
        // Sent again, as a client would whose answer was lost: no second evaluation.
        const found = await client.evaluate(request, {
          idempotencyKey: `round ${round}`,
          wait: true,
        });
        expect(found.id).toBe(id);
        expect(found.error).toBeNull();
        expect(JSON.stringify(found.result!.results), `round ${round}, ${victim} killed`).toBe(
          expected,
        );
        // A compute process never outlives its server.
        await until(() => children.every((pid) => computeProcesses(1).includes(pid) === false), {
          what: 'orphans to end',
        });
      }
      const { items } = await client.list({ limit: 100 });
      expect(items.map((item) => item.id).sort()).toEqual([...ids].sort());
    },
  );

  it(
    'stops in good order on SIGTERM: streams end, the evaluation continues after the next ' +
      'start',
    async () => {
      const { id } = await client.evaluate(request, { idempotencyKey: 'graceful' });
      const stream = await fetch(`${server.url}/v1/evaluations/${id}/events`);
      const ended = stream.text();
      await until(async () => ((await client.get(id)).progress?.batches ?? 0) >= 2, {
        what: 'two batches',
      });
      server.child.kill('SIGTERM');
      // A server that is not done by its grace ends with 1.
      expect(await server.ended).toEqual({ code: 0, signal: null });
      expect(await ended).toContain('the server stops');
      const db = new Database(join(folder.path, 'jobs.db'), { readOnly: true });
      expect(db.prepare('SELECT status FROM evaluations WHERE id = ?').get(id)).toEqual({
        status: 'queued',
      });
      db.close();
      await start();
      const record = await client.evaluate(request, { idempotencyKey: 'graceful', wait: true });
      expect(record.id).toBe(id);
      expect(record.status).toBe('succeeded');
      expect(readdirSync(join(folder.path, 'jobs.db.journals'))).toEqual([]);
    },
  );
});

describe('a server that is told to stop', () => {
  it('does not wait for a file that takes long to read', async () => {
    const other = temporaryFolder();
    const slow = await spawnServer(other.path, { SAE_EVAL_CONFIG: quick });
    try {
      await untilReady(slow.url);
      const answer = post(slow.url, smallRequest());
      let inspector: number | undefined;
      await until(
        () => (inspector = childProcesses(slow.child.pid!, 'inspect-child.js')[0]) !== undefined,
        { what: 'the inspection' },
      );
      process.kill(inspector!, 'SIGSTOP');
      slow.child.kill('SIGTERM');
      expect(await slow.ended).toEqual({ code: 0, signal: null });
      const { status } = await answer;
      expect(status).toBe(503);
      expect(isRunning(inspector!)).toBe(false);
    } finally {
      slow.child.kill('SIGKILL');
      other.remove();
    }
  });
});

describe('a second server on the same store', () => {
  it('is refused while the first runs, and takes over when it stops', async () => {
    await expect(spawnServer(folder.path, { SAE_EVAL_CONFIG: quick })).rejects.toThrow(
      /ended with 2: .*is in use by another server/,
    );
    expect((await client.evaluate(smallRequest({ seed: 11 }), { wait: true })).status).toBe(
      'succeeded',
    );
    const { id } = await client.evaluate(request, { idempotencyKey: 'handed over' });
    await until(async () => ((await client.get(id)).progress?.batches ?? 0) >= 1, {
      what: 'a batch',
    });
    const next = spawnServer(folder.path);
    await new Promise((resolve) => setTimeout(resolve, 300));
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    server = await next;
    client = new SaeEvalClient(server.url);
    expect(
      await client.evaluate(request, { idempotencyKey: 'handed over', wait: true }),
    ).toMatchObject({ id, status: 'succeeded', error: null });
  });
});

describe('an evaluation that computes for too long', () => {
  it('fails with timed-out; the next one runs', async () => {
    const other = temporaryFolder();
    const limited = await spawnServer(other.path, { SAE_EVAL_JOB_TIMEOUT: '1' });
    try {
      const its = new SaeEvalClient(limited.url);
      await expect(
        its.evaluate(
          smallRequest({
            dataset: { path: 'checkpoints/eval', maxSamples: 2000, seqLen: 512 },
            batchSize: 64,
          }),
          { wait: true },
        ),
      ).rejects.toMatchObject({
        name: 'EvaluationFailedError',
        code: 'timed-out',
        evaluation: { status: 'failed' },
      });
      const { id } = await its.evaluate(
        smallRequest({ dataset: { path: 'checkpoints/eval', maxSamples: 1, seqLen: 8 } }),
      );
      await until(async () => (await its.get(id)).startedAt !== null, {
        what: 'the next one to start',
      });
      expect(
        readdirSync(join(other.path, 'jobs.db.journals')).filter((name) => !name.startsWith(id)),
      ).toEqual([]);
    } finally {
      limited.child.kill('SIGTERM');
      expect(await limited.ended).toEqual({ code: 0, signal: null });
      other.remove();
    }
  });
});

describe('a compute process that dies of the same thing twice', () => {
  it.runIf(full)('fails its evaluation with the reason; the next one runs', async () => {
    const { id } = await client.evaluate(
      smallRequest({
        dataset: { path: 'checkpoints/eval', maxSamples: 400, seqLen: 512 },
        batchSize: 400,
      }),
    );
    for (let death = 0; death < 2; death++) {
      await until(async () => (await client.get(id)).attempts === death + 1, {
        what: `attempt ${death + 1}`,
      });
      await until(() => computeProcesses(server.child.pid!).length === 1, {
        what: 'a compute process',
      });
      for (const pid of computeProcesses(server.child.pid!)) process.kill(pid, 'SIGKILL');
    }
    await until(async () => (await client.get(id)).status === 'failed', { what: 'the failure' });
    expect(await client.get(id)).toMatchObject({
      error: { code: 'process-died', message: expect.stringContaining('SIGKILL') },
      attempts: 2,
    });
    expect((await client.evaluate(smallRequest(), { wait: true })).status).toBe('succeeded');
  });

  it.each([['SIGSEGV', 3] as const, ...(full ? [['SIGABRT', 4] as const] : [])])(
    'is not tried again after a crash in native code (%s); the others go on',
    async (signal, seed) => {
      const { id } = await client.evaluate(
        smallRequest({
          dataset: { path: 'checkpoints/eval', maxSamples: 400, seqLen: 512 },
          batchSize: 400,
          seed,
        }),
      );
      const next = await client.evaluate(smallRequest({ seed: seed + 10 }));
      await until(async () => (await client.get(id)).status === 'running', {
        what: 'the evaluation to run',
      });
      for (const pid of computeProcesses(server.child.pid!)) process.kill(pid, signal);
      await until(async () => (await client.get(id)).status === 'failed', { what: 'the failure' });
      expect(await client.get(id)).toMatchObject({
        error: { code: 'process-died', message: expect.stringContaining(signal) },
        attempts: 1,
      });
      await until(async () => (await client.get(next.id)).status === 'succeeded', {
        what: 'the next one',
      });
    },
  );
});
