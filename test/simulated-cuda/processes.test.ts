/**
 * Compute processes on two simulated GPUs: which evaluation gets which, and what happens when one
 * is lost or gone. The server runs in this process, and its compute processes see the devices that
 * the environment says at that moment.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient, type EvaluationRecord } from '#src/client/index.js';
import { ComputeProcess } from '#src/compute/host.js';
import {
  resolvedRequestSchema,
  type EvaluationRequest,
  type EvaluationResult,
} from '#src/schema/index.js';
import { full } from '../full.js';
import {
  computeProcesses,
  packageRoot,
  serve,
  temporaryFolder,
  until,
  untilReady,
} from '../server/harness.js';
import { buildSimulatedCuda } from './build.js';
import { simulatedEnvironment } from './device.js';
import { writeSmallFiles } from './small-files.js';

const bytes = 3 * 2 ** 30;
const folder = temporaryFolder();
const lossFile = join(folder.path, 'lost');
let server: RunningServer;
let client: SaeEvalClient;

function request(maxSamples: number, device?: string): EvaluationRequest {
  return {
    model: 'model',
    dataset: { path: 'text.jsonl', maxSamples, seqLen: 32 },
    saes: [{ kind: 'TopK', checkpoint: 'sae.safetensors', layer: 4, k: 4 }],
    batchSize: 4,
    ...(device === undefined ? {} : { device }),
  };
}

/** The same with paths that hold everywhere. */
function requestByPaths(): EvaluationRequest {
  const { dataset, saes, ...others } = request(few);
  return {
    ...others,
    model: join(folder.path, 'model'),
    dataset: { ...dataset, path: join(folder.path, dataset.path) },
    saes: saes.map((sae) => ({ ...sae, checkpoint: join(folder.path, sae.checkpoint!) })),
  };
}

/** Number of samples that take long enough to do something meanwhile. */
const many = 100;
const few = 4;

async function start(devices: number): Promise<void> {
  process.env['SAE_EVAL_PASS_ENV'] = 'SIMULATED_CUDA_*';
  process.env['SIMULATED_CUDA_DEVICES'] = String(devices);
  server = await serve(folder.path, { roots: [folder.path] });
  client = new SaeEvalClient(server.url);
  await untilReady(server.url);
}

const submit = async (asked: EvaluationRequest): Promise<string> =>
  (await client.evaluate(asked)).id;

async function untilBatches(id: string, batches: number): Promise<void> {
  await until(async () => ((await client.summary(id)).progress?.batches ?? 0) >= batches, {
    what: `${batches} batches`,
  });
}

/** The record of an evaluation when it has ended. */
async function ended(id: string): Promise<EvaluationRecord> {
  for await (const { event } of client.watch(id)) if (event === 'end') break;
  return client.get(id);
}

async function resultOf(id: string): Promise<EvaluationResult> {
  const { result, error } = await ended(id);
  if (result === null) throw new Error(`${id}: ${error?.message}`);
  return result;
}

/** Lets nothing be computed until they go on. */
function stopComputing(signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of computeProcesses(process.pid)) process.kill(pid, signal);
}

const numbers = ({ results }: EvaluationResult): string => JSON.stringify(results);
/** Numbers of `many` samples on a device that nothing happened to. */
let expected: string;

beforeAll(async () => {
  writeSmallFiles(folder.path, { records: 10 * many });
  process.execArgv.push('--require', await buildSimulatedCuda());
  process.env['SIMULATED_CUDA_BYTES'] = String(bytes);
  process.env['SIMULATED_CUDA_LOSS'] = lossFile;
  await start(2);
});
afterEach(() => rmSync(lossFile, { force: true }));
afterAll(async () => {
  await server.close();
  folder.remove();
});

describe('a server with two GPUs', () => {
  it('tells their names and memory', async () => {
    const [cpu, ...gpus] = await client.devices();
    expect(cpu).toMatchObject({ name: 'cpu', isDefault: false });
    expect(gpus).toEqual(
      ['cuda:0', 'cuda:1'].map((name) => ({
        name,
        description: 'Simulated GPU',
        totalBytes: bytes,
        freeBytes: bytes,
        isDefault: true,
        running: null,
        busy: false,
        queued: 0,
      })),
    );
  });

  it.runIf(full)(
    'gives what asks for any to the free ones, and what asks for one to that one',
    async () => {
      const ids = await Promise.all([submit(request(many)), submit(request(many, 'cuda'))]);
      await Promise.all(ids.map((id) => untilBatches(id, 1)));
      stopComputing('SIGSTOP');
      const third = await submit(request(few, 'cuda:1'));
      const fourth = await submit(request(few, 'cuda'));
      expect(await client.summary(third)).toMatchObject({
        status: 'queued',
        device: 'cuda:1',
        position: 1,
        waitingFor: null,
      });
      // The first of cuda:0, though the second of cuda:1.
      expect(await client.summary(fourth)).toMatchObject({ device: 'cuda', position: 1 });
      expect((await client.devices()).map(({ queued }) => queued)).toEqual([0, 1, 2]);
      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      for (const [device, waiting] of Object.entries({ cpu: 0, cuda: 1, 'cuda:0': 0, 'cuda:1': 1 }))
        expect(metrics).toContain(`sae_eval_queue_length{device="${device}"} ${waiting}`);

      stopComputing('SIGCONT');
      const records = await Promise.all(ids.map(ended));
      const results = records.map(({ result }) => result!);
      expect(results.map(({ config }) => config.device).sort()).toEqual(['cuda:0', 'cuda:1']);
      expect(records.map(({ device, request: { device: asked } }) => [device, asked])).toEqual([
        ['cuda', 'cuda'],
        ['cuda', 'cuda'],
      ]);
      expected = numbers(results[0]!);
      expect(numbers(results[1]!)).toBe(expected);
      expect((await resultOf(third)).config.device).toBe('cuda:1');
      await ended(fourth);
    },
  );

  it('refuses a device that is not there', async () => {
    await expect(client.evaluate(request(few, 'cuda:7'))).rejects.toMatchObject({
      code: 'device-unavailable',
      message: expect.stringContaining('cpu, cuda:0, cuda:1') as string,
    });
  });
});

describe('a GPU that is lost', () => {
  it.runIf(full)(
    'fails an evaluation that loses it twice; the next one has a new process',
    async () => {
      const id = await submit(request(many, 'cuda:0'));
      await untilBatches(id, 1);
      writeFileSync(lossFile, '');
      expect(await ended(id)).toMatchObject({
        status: 'failed',
        attempts: 2,
        error: { code: 'device-lost', message: expect.stringContaining('CUDA error') as string },
      });
      rmSync(lossFile);
      expect((await resultOf(await submit(request(few, 'cuda:0')))).config.device).toBe('cuda:0');
    },
  );

  it.runIf(full)('gets its evaluation back when it is there again', async () => {
    const id = await submit(request(many, 'cuda:1'));
    await untilBatches(id, 2);
    // Gone altogether: new processes have one device.
    process.env['SIMULATED_CUDA_DEVICES'] = '1';
    writeFileSync(lossFile, '');
    await until(async () => (await client.summary(id)).waitingFor !== null, { what: 'the loss' });
    expect(await client.summary(id)).toMatchObject({ status: 'queued', error: null });
    rmSync(lossFile);
    process.env['SIMULATED_CUDA_DEVICES'] = '2';
    const result = await resultOf(id);
    expect(result.config.device).toBe('cuda:1');
    expect(numbers(result)).toBe(expected);
    expect((await client.summary(id)).attempts).toBe(2);
  });
});

describe.runIf(full)('a server that starts with fewer GPUs', () => {
  let anywhere: string;
  let gone: string;
  let unwanted: string;

  it('continues on another GPU what asked for any, with the same bits', async () => {
    const first = await submit(request(10 * many, 'cuda:0'));
    await untilBatches(first, 1);
    stopComputing('SIGSTOP');
    anywhere = await submit(request(many, 'cuda'));
    [gone, unwanted] = [await submit(request(few, 'cuda:1')), await submit(request(few, 'cuda:1'))];
    const shards = join(folder.path, 'jobs.db.runs', anywhere, 'shards');
    const isBegun = (): boolean => existsSync(shards) && readdirSync(shards).length > 0;
    stopComputing('SIGCONT');
    await until(isBegun, { what: 'a shard' });
    stopComputing('SIGSTOP');
    const devices = await client.devices();
    expect(devices.find(({ running }) => running === anywhere)?.name).toBe('cuda:1');
    await client.cancel(first);
    await server.close();
    expect(isBegun()).toBe(true);

    await start(1);
    expect((await client.summary(first)).status).toBe('cancelled');
    const result = await resultOf(anywhere);
    // The device that began it decided for all.
    expect(result.config.device).toBe('cuda:1');
    expect(result.data.warnings).toEqual([]);
    expect(numbers(result)).toBe(expected);
  });

  it('says why the others wait, takes no new ones, and lets them be cancelled', async () => {
    const { items } = await client.list();
    for (const record of [await client.get(gone), items.find(({ id }) => id === gone)])
      expect(record).toMatchObject({
        status: 'queued',
        device: 'cuda:1',
        position: null,
        waitingFor: {
          en: expect.stringContaining(
            'the device cuda:1, which this machine does not have now; it has cpu, cuda:0.',
          ) as string,
          zh: expect.stringContaining('正在等待设备 cuda:1') as string,
        },
      });
    for await (const { event, data } of client.watch(gone)) {
      expect(event === 'progress' && data.waitingFor?.en).toContain('the device cuda:1');
      break;
    }
    await expect(client.evaluate(request(few, 'cuda:1'))).rejects.toMatchObject({
      code: 'device-unavailable',
    });
    await client.cancel(unwanted);
    expect((await client.summary(unwanted)).status).toBe('cancelled');
  });

  it('runs them when it starts with their GPU', async () => {
    await server.close();
    await start(2);
    const result = await resultOf(gone);
    expect(result.config.device).toBe('cuda:1');
    expect((await client.summary(gone)).waitingFor).toBeNull();
  });
});

describe('without a server', () => {
  it('a process takes a GPU if the request does not say where, and tells its memory', async () => {
    const compute = new ComputeProcess({ cacheBytes: 2 ** 40 });
    try {
      const { config } = await compute.run(resolvedRequestSchema.parse(requestByPaths()));
      expect(config.device).toBe('cuda:0');
      expect(compute.usage?.device?.totalBytes).toBe(bytes);
    } finally {
      await compute.close();
    }
  });

  it.runIf(full)('the command line takes --device cuda and --device cuda:1', async () => {
    const file = join(folder.path, 'request.json');
    writeFileSync(file, JSON.stringify(requestByPaths()));
    const { NODE_OPTIONS } = await simulatedEnvironment();
    const evaluate = async (device: string): Promise<EvaluationResult['config']> => {
      const out = join(folder.path, device.replace(':', '-'));
      await promisify(execFile)(
        process.execPath,
        ['dist/src/cli/main.js', 'evaluate', file, '--device', device, '--out', out],
        { cwd: packageRoot, env: { ...process.env, NODE_OPTIONS } },
      );
      const report = readFileSync(join(out, 'report.json'), 'utf8');
      return (JSON.parse(report) as EvaluationResult).config;
    };
    const [any, second] = await Promise.all([evaluate('cuda'), evaluate('cuda:1')]);
    expect(any.device).toBe('cuda:0');
    expect(any.deviceName).toBe('Simulated GPU');
    expect(second.device).toBe('cuda:1');
  });
});
