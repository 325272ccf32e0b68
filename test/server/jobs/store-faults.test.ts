/**
 * A store that cannot be written for a while, for real: the system refuses the server's writes to
 * files (RLIMIT_FSIZE), which SQLite reports like EIO. Nothing stops for ever, nothing is lost.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalClient } from '#src/client/index.js';
import {
  post,
  smallRequest,
  spawnServer,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';
import { full } from '../../full.js';

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;
if (!hasPrlimit) console.warn("A store's passing fault is not tested: there is no prlimit.");

const folder = temporaryFolder();
const long = smallRequest({
  dataset: { path: 'checkpoints/eval', maxSamples: 96, seqLen: 64 },
  batchSize: 4,
});
let server: ServerProcess;
let client: SaeEvalClient;

async function start(): Promise<void> {
  server = await spawnServer(folder.path);
  client = new SaeEvalClient(server.url, { retries: 0 });
}

/** Longest file that the server itself may write; its compute processes write on. */
function limitFiles(bytes: '0' | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(server.child.pid), `--fsize=${bytes}:`]);
}

async function twoBatches(id: string): Promise<void> {
  await until(async () => ((await client.get(id)).progress?.batches ?? 0) >= 2, {
    what: 'two batches',
  });
}

async function problemAt(path: string, init?: RequestInit): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, init);
  return { status: response.status, ...((await response.json()) as object) };
}

async function writable(): Promise<string | undefined> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return /^sae_eval_store_writable (\d)$/m.exec(text)?.[1];
}

const linesWith = (text: string): { level: number }[] =>
  server
    .output()
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => JSON.parse(line) as { level: number });

beforeAll(async () => {
  await start();
  await untilReady(server.url);
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  folder.remove();
});

describe.skipIf(!hasPrlimit)('a store that cannot be written', () => {
  const refused = {
    status: 503,
    code: 'unavailable',
    detail: expect.stringMatching(/The store cannot be .*SQLITE_IOERR/) as string,
  };

  it('makes the server not ready; the device goes on by itself afterwards', async () => {
    const stored = await client.evaluate(long, { wait: true });
    expect(await writable()).toBe('1');
    const { id } = await client.evaluate(long);
    const { id: next } = await client.evaluate(smallRequest());
    await twoBatches(id);
    limitFiles('0');

    await until(async () => (await fetch(`${server.url}/readyz`)).status === 503, {
      what: 'the server to notice',
    });
    expect(await problemAt('/readyz')).toMatchObject(refused);
    expect(await writable()).toBe('0');
    const submission = await post(server.url, smallRequest());
    expect(submission.headers.get('retry-after')).toBe('5');
    expect(await submission.json()).toMatchObject(refused);
    expect(await problemAt(`/v1/evaluations/${stored.id}`, { method: 'DELETE' })).toMatchObject(
      refused,
    );
    expect(await client.get(stored.id)).toEqual(stored);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);

    // It computes to its end, which cannot be stored.
    await until(async () => (await client.get(id)).progress?.samples === 96, { what: 'the end' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await client.get(id)).status).toBe('running');
    limitFiles('unlimited');

    await until(async () => (await client.get(next)).status === 'succeeded', {
      what: 'the device to go on',
    });
    const record = await client.get(id);
    expect(record).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(record.result!.results).toEqual(stored.result!.results);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect(await writable()).toBe('1');
    expect(linesWith('the store cannot be read or written').map(({ level }) => level)).toEqual([
      50,
    ]);
    expect(linesWith('the store can be written again')).toHaveLength(1);
  });

  it('keeps a cancellation until it can be stored', async () => {
    const { id } = await client.evaluate(long);
    const { id: next } = await client.evaluate(smallRequest());
    await twoBatches(id);
    limitFiles('0');
    expect((await client.cancel(id)).status).toBe('running');
    expect(await problemAt(`/v1/evaluations/${next}`, { method: 'DELETE' })).toMatchObject(refused);
    limitFiles('unlimited');
    await until(async () => (await client.get(next)).status === 'succeeded', {
      what: 'the device to go on',
    });
    expect((await client.get(id)).status).toBe('cancelled');
  });
});

it.runIf(full)('cancels what an earlier server left running, before a worker has it', async () => {
  const { id } = await client.evaluate(long);
  await twoBatches(id);
  server.child.kill('SIGKILL');
  await server.ended;
  // Remains of a removed evaluation are swept.
  for (const name of ['removed.journal', 'removed.journal.part'])
    writeFileSync(join(folder.path, 'jobs.db.journals', name), '');
  writeFileSync(join(folder.path, 'jobs.db.sums', 'removed.safetensors'), '');
  await start();
  const answer = await client.cancel(id);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
  expect(answer).toMatchObject({ status: 'cancelled', attempts: 1, error: { code: 'cancelled' } });
  await untilReady(server.url);
  expect((await client.evaluate(smallRequest(), { wait: true })).status).toBe('succeeded');
  expect(await client.get(id)).toMatchObject({ status: 'cancelled', attempts: 1 });
  expect(readdirSync(join(folder.path, 'jobs.db.journals'))).toEqual([]);
  expect(readdirSync(join(folder.path, 'jobs.db.sums'))).not.toContain('removed.safetensors');
});
