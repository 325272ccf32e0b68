/**
 * A server with two simulated GPUs: both compute the shards of one evaluation, an idle one helps
 * until something waits for it, and nothing that happens to a device changes a bit.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient, type EvaluationRecord } from '#src/client/index.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import type { ShardList } from '#src/schema/shards.js';
import { full } from '../full.js';
import { computeProcesses, serve, temporaryFolder, until, untilReady } from '../server/harness.js';
import { buildSimulatedCuda } from './build.js';
import { writeSmallFiles } from './small-files.js';

const folder = temporaryFolder();
const lossFile = join(folder.path, 'lost');
const runs = join(folder.path, 'jobs.db.runs');
const many = 80;
let server: RunningServer;
let client: SaeEvalClient;
let expected: EvaluationResult;

const request = (device?: string, maxSamples = many): EvaluationRequest => ({
  model: 'model',
  dataset: { path: 'text.jsonl', maxSamples, seqLen: 32 },
  saes: [{ kind: 'TopK', checkpoint: 'sae.safetensors', layer: 4, k: 4 }],
  batchSize: 4,
  ...(device === undefined ? {} : { device }),
});

async function start(devices: number): Promise<void> {
  process.env['SAE_EVAL_PASS_ENV'] = 'SIMULATED_CUDA_*';
  process.env['SIMULATED_CUDA_DEVICES'] = String(devices);
  server = await serve(folder.path, { roots: [folder.path] });
  client = new SaeEvalClient(server.url);
  await untilReady(server.url);
}

const submit = async (asked: EvaluationRequest): Promise<string> =>
  (await client.evaluate(asked)).id;

async function ended(id: string): Promise<EvaluationRecord> {
  for await (const { event } of client.watch(id)) if (event === 'end') break;
  return client.get(id);
}

/** The shards of a running evaluation when they are as asked for. */
async function shardsWhen(id: string, fits: (list: ShardList) => boolean): Promise<ShardList> {
  let seen: ShardList | null = null;
  await until(
    async () => {
      seen = await client.shards(id).catch(() => null);
      return seen !== null && fits(seen);
    },
    { what: `shards of ${id}`, seconds: 60 },
  );
  return seen!;
}

const workersOf = ({ items }: ShardList): string[] =>
  [...new Set(items.flatMap(({ worker }) => worker ?? []))].sort();
const both = (list: ShardList): boolean => workersOf(list).length === 2;

function expectSameNumbers({ status, result, error }: EvaluationRecord): void {
  expect([status, error]).toEqual(['succeeded', null]);
  expect(result!.results).toEqual(expected.results);
  expect(result!.comparisons).toEqual(expected.comparisons);
}

beforeAll(async () => {
  writeSmallFiles(folder.path, { records: many });
  process.execArgv.push('--require', await buildSimulatedCuda());
  process.env['SIMULATED_CUDA_BYTES'] = String(2 ** 31);
  process.env['SIMULATED_CUDA_LOSS'] = lossFile;
  await start(2);
  expected = (await ended(await submit(request('cuda:0')))).result!;
});
afterEach(() => {
  for (const name of [lossFile, `${lossFile}.1`]) rmSync(name, { force: true });
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

it('computes one evaluation on both, with the bits of one', async () => {
  const id = await submit(request());
  const list = await shardsWhen(id, both);
  expect(list.total).toBe(list.items.length);
  expect(workersOf(list)).toEqual(['cuda:0', 'cuda:1']);
  const record = await ended(id);
  expectSameNumbers(record);
  expect(record.progress?.shards).toEqual({
    done: list.total,
    running: 0,
    total: list.total,
    lost: 0,
  });
  expect(record.result!.config.plan).toMatchObject({ merged: list.total });
  expect(existsSync(join(runs, id))).toBe(false);
});

it.runIf(full)('lets the helper go to what waits for it', async () => {
  const first = await submit(request());
  await shardsWhen(first, both);
  const second = await submit(request('cuda', 8));
  await ended(second);
  const { status, progress } = await client.summary(first);
  expect(status === 'running' || status === 'succeeded').toBe(true);
  expect(progress!.samples).toBeGreaterThan(0);
  expectSameNumbers(await ended(first));
  const [one, other] = await Promise.all([client.get(first), client.get(second)]);
  expect(Date.parse(other.startedAt!)).toBeLessThan(Date.parse(one.endedAt!));
});

it.runIf(full)('goes on if the helper is lost, and if a process is killed', async () => {
  const id = await submit(request());
  const { items } = await shardsWhen(id, both);
  expect(items.some(({ worker }) => worker === 'cuda:1')).toBe(true);
  writeFileSync(`${lossFile}.1`, '');
  await until(async () => ((await client.summary(id)).progress?.shards?.lost ?? 0) > 0, {
    what: 'a lost shard',
  });
  rmSync(`${lossFile}.1`);
  expectSameNumbers(await ended(id));
  const killed = await submit(request());
  await shardsWhen(killed, ({ done }) => done > 2);
  // The helper's, or that of the one device if the other has not come back yet.
  for (const pid of computeProcesses(process.pid).slice(-1)) process.kill(pid, 'SIGKILL');
  expectSameNumbers(await ended(killed));
});

it.runIf(full)('ends with the numbers so far, or without, and leaves no files', async () => {
  const kept = await submit(request());
  await shardsWhen(kept, ({ done }) => done > 2);
  await client.cancel(kept, { keep: 'partial' });
  const { status, result } = await ended(kept);
  expect(status).toBe('cancelled');
  expect(result!.stopped).not.toBeUndefined();
  const dropped = await submit(request());
  await shardsWhen(dropped, both);
  await client.cancel(dropped);
  expect(await ended(dropped)).toMatchObject({ status: 'cancelled', result: null });
  await until(() => readdirSync(runs).length === 0, { what: 'an empty folder' });
});

it.runIf(full)('continues after a restart, with one device', async () => {
  const id = await submit(request());
  await shardsWhen(id, ({ done }) => done > 2);
  await server.close();
  const there = readdirSync(join(runs, id, 'shards')).length;
  expect(there).toBeGreaterThan(2);
  await start(1);
  expectSameNumbers(await ended(id));
  expect((await client.get(id)).result!.data.warnings).toEqual([]);
});

it.runIf(full)('is taken over by the other device if its own is gone', async () => {
  await server.close();
  await start(2);
  const id = await submit(request());
  await shardsWhen(id, both);
  process.env['SIMULATED_CUDA_DEVICES'] = '1';
  writeFileSync(`${lossFile}.1`, '');
  expectSameNumbers(await ended(id));
});
