/**
 * A server with a queue on a real Redis, and workers in processes of their own, which are killed
 * at work: whatever happens, the result has the bits of a run on one device.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { evaluate } from '#src/index.js';
import { SaeEvalClient, type EvaluationRequest } from '#src/client/index.js';
import { full } from '../../full.js';
import {
  packageRoot,
  smallRequest,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';
import {
  killed,
  LocalRedis,
  numbersOf,
  resultOf,
  spawnSharingServer,
  spawnWorker,
  submitTo,
  withoutRedis,
  workerAtWork,
  type WorkerProcess,
} from './harness.js';

const request: EvaluationRequest = smallRequest({
  dataset: { path: 'checkpoints/eval', maxSamples: 40, seqLen: 16 },
  batchSize: 4,
});

/** A request of 30 shards: workers with the model in memory are long enough at it to be seen. */
const longRequest: EvaluationRequest = {
  ...request,
  dataset: { ...request.dataset, maxSamples: 120, seqLen: 64 },
};

/** The numbers that one device computes. */
async function numbersOfOneDevice(asked: EvaluationRequest): Promise<string> {
  return numbersOf(
    await evaluate({
      ...asked,
      model: join(packageRoot, 'checkpoints/tiny-llama'),
      dataset: { ...asked.dataset, path: join(packageRoot, 'checkpoints/eval') },
      saes: [{ ...asked.saes[0]!, checkpoint: join(packageRoot, 'checkpoints/TopK_tiny.pt') }],
    }),
  );
}

describe.skipIf(withoutRedis !== '')(`a server with a queue${withoutRedis}`, () => {
  const folder = temporaryFolder();
  const workers: WorkerProcess[] = [];
  let redis: LocalRedis;
  let server: ServerProcess;
  let client: SaeEvalClient;

  const work = (roots: readonly string[] = [packageRoot, folder.path]): WorkerProcess => {
    const worker = spawnWorker(redis.url, roots);
    workers.push(worker);
    return worker;
  };
  const alive = async (count: number): Promise<void> =>
    until(
      async () => (await client.workers()).filter(({ state }) => state !== 'gone').length >= count,
      {
        what: `${count} workers`,
        seconds: 60,
      },
    );

  beforeAll(async () => {
    redis = await LocalRedis.start(folder.path);
    work();
    work();
    server = await spawnSharingServer(folder.path, redis.url);
    client = new SaeEvalClient(server.url);
    await untilReady(server.url);
    await alive(2);
  }, 120_000);

  afterAll(async () => {
    for (const worker of workers) await killed(worker);
    await killed(server);
    await redis.kill();
    folder.remove();
  });

  it('computes with two workers what one device computes, past hostile jobs', async () => {
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const queue = new Queue('shards-cpu', { connection, prefix: 'sae_eval' });
    queue.on('error', () => {});
    const hostile: unknown[] = [
      { run: '../../../etc', shard: 0 },
      { run: '/etc', shard: 0 },
      { run: 'checkpoints', shard: 1e300 },
      { run: { toString: 'no' }, shard: 'x' },
      { run: 'checkpoints\0', shard: 0 },
      null,
    ];
    for (const [index, data] of hostile.entries())
      await queue.add('shard', data, { jobId: `hostile/${index}` });
    const id = await submitTo(server.url, request);
    const result = await resultOf(server.url, id);
    expect(numbersOf(result)).toBe(await numbersOfOneDevice(request));
    expect(result.config.plan).toMatchObject({ shards: 10 });
    expect(result.config.machines!.reduce((sum, { shards }) => sum + shards, 0)).toBe(10);
    const { progress } = await client.summary(id);
    expect(progress).toMatchObject({ samples: 40, shards: { done: 10, total: 10 } });
    const shards = await client.shards(id);
    expect(shards.items.map(({ state, samples }) => [state, samples])).toEqual(
      Array.from({ length: 10 }, () => ['done', 4]),
    );
    await until(async () => (await queue.getJobCounts('waiting', 'active')).waiting === 0, {
      what: 'the hostile jobs to be dropped',
    });
    await queue.close();
    connection.disconnect();
    expect(workers.every(({ child }) => child.exitCode === null)).toBe(true);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('sae_eval_shards_total{outcome="done"} 10');
    // One of them may still be at work.
    const counts = metrics.matchAll(/^sae_eval_workers\{host=".+",kind=".+",state="\w+"\} (\d+)/gm);
    expect([...counts].reduce((sum, [, count]) => sum + Number(count), 0)).toBe(2);
    await client.remove(id);
    await until(() => readdirSync(join(folder.path, 'runs')).length === 0, {
      what: 'its folder to go',
    });
  }, 120_000);

  it('survives a killed worker, a lost queue and a killed server', async () => {
    const id = await submitTo(server.url, longRequest);
    const pid = await workerAtWork(server.url, id);
    const victim = workers.findIndex(({ child }) => child.pid === pid);
    await killed(workers.splice(victim, 1)[0]!);
    redis.ask('FLUSHALL');
    await killed(server);
    work();
    server = await spawnSharingServer(folder.path, redis.url);
    client = new SaeEvalClient(server.url);
    const numbers = numbersOf(await resultOf(server.url, id));
    expect(numbers).toBe(await numbersOfOneDevice(longRequest));
    expect((await client.summary(id)).attempts).toBe(2);
  }, 120_000);

  it.runIf(full)(
    'gives a shard back on SIGTERM, and says why a worker computes nothing',
    async () => {
      const { child, ended } = workers[0]!;
      const stranger = work([join(packageRoot, 'docs')]);
      await alive(3);
      const id = await submitTo(server.url, {
        ...longRequest,
        dataset: { ...longRequest.dataset, maxSamples: 600 },
        batchSize: 40,
      });
      await until(async () => (await workerAtWork(server.url, id)) === child.pid, {
        what: 'it to compute',
        seconds: 60,
      });
      child.kill('SIGTERM');
      expect([75, 0]).toContain(await ended);
      workers.shift();
      await until(async () => (await client.workers()).some(({ problem }) => problem !== null), {
        what: 'the worker of other roots to say so',
        seconds: 60,
      });
      expect(stranger.child.exitCode).toBeNull();
      await client.cancel(id);
      await until(async () => (await client.summary(id)).status === 'cancelled', {
        what: 'the end of the evaluation',
      });
      expect((await client.get(id)).error).toMatchObject({ code: 'cancelled' });
      await until(async () => (await client.workers()).every(({ run }) => run !== id), {
        what: 'workers to stop',
      });
    },
    120_000,
  );
});
