/**
 * Runs in shards from the command line, in processes that are killed, stopped and cancelled: every
 * one ends with the numbers of a run in one piece, or says what to do.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import type { EvaluationResult } from '#src/schema/index.js';
import { shipped } from '../golden/load.js';
import { computeProcesses, packageRoot, until } from '../server/harness.js';
import { full } from '../full.js';

const base = mkdtempSync(join(tmpdir(), 'sae-eval-shards-'));
const request = join(base, 'request.json');
const long = join(base, 'long.json');
let expected: string;

const requestOf = (maxSamples: number, seqLen: number): string =>
  JSON.stringify({
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), seqLen, maxSamples },
    batchSize: 2,
    saes: [
      { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 },
      { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
    ],
  });

interface Running {
  child: ChildProcess;
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, ['dist/src/cli/main.js', ...args], {
    cwd: packageRoot,
    env: { ...process.env, LC_ALL: 'C', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Awaited<Running['ended']>>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended };
}

const sae = (args: readonly string[], env?: Record<string, string>): Running['ended'] =>
  start(args, env).ended;

function numbersIn(out: string): string {
  const { results, comparisons } = JSON.parse(
    readFileSync(join(out, 'report.json'), 'utf8'),
  ) as EvaluationResult;
  return createHash('sha256')
    .update(JSON.stringify([results, comparisons]))
    .digest('hex');
}

beforeAll(async () => {
  writeFileSync(request, requestOf(22, 8));
  writeFileSync(long, requestOf(48, 64));
  const out = join(base, 'single');
  expect(await sae(['evaluate', request, '--out', out])).toMatchObject({ code: 0 });
  expected = numbersIn(out);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

it('evaluate --devices has the bits of one process, and leaves no process', async () => {
  const out = join(base, 'pool');
  const pool = start(['evaluate', request, '--out', out, '--devices', 'cpu,cpu']);
  expect(await pool.ended).toMatchObject({ code: 0 });
  expect(numbersIn(out)).toBe(expected);
  expect(computeProcesses(pool.child.pid!)).toEqual([]);
  // Another request does not get the folder.
  const other = ['evaluate', request, '--set', 'seed=7', '--out', out, '--devices', 'cpu'];
  expect(await sae(other)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--overwrite') as string,
  });
});

it('members of an array compute their shards, and merge needs no libtorch', async () => {
  const out = join(base, 'array');
  const member = (index: number): Promise<{ code: number | null; stderr: string }> =>
    sae(['shard', request, '--out', out], {
      SLURM_ARRAY_TASK_ID: String(index),
      SLURM_ARRAY_TASK_MIN: '1',
      SLURM_ARRAY_TASK_COUNT: '2',
    });
  // Both make the plan, or one waits for the other.
  const both = await Promise.all([member(1), member(2)]);
  for (const { code, stderr } of both) {
    expect(stderr).toMatch(/[56] of 11 shards are this process/);
    expect(code).toBe(0);
  }
  const status = await sae(['status', out, '--json']);
  expect(JSON.parse(status.stdout)).toMatchObject({
    shards: { done: 11, total: 11, missing: [] },
    samples: { done: 22, total: 22 },
    begun: [],
    isCancelled: false,
    isMerged: false,
  });
  const merged = await sae(['merge', out, '--json'], { SAE_EVAL_ADDON: join(base, 'none') });
  expect(merged.code, merged.stderr).toBe(0);
  expect(numbersIn(out)).toBe(expected);
  expect(JSON.parse(merged.stdout)).toMatchObject({ status: 'succeeded' });
});

it.runIf(full)('a process killed in mid-shard costs nothing but time', async () => {
  const out = join(base, 'killed');
  const store = new FolderStore(out);
  const killed = start(['shard', request, '0/1', '--out', out]);
  await until(
    () => existsSync(join(out, 'plan.json')) && store.missing(store.plan()!).length < 11,
    {
      what: 'a shard',
      seconds: 60,
    },
  );
  for (const pid of computeProcesses(killed.child.pid!)) process.kill(pid, 'SIGKILL');
  killed.child.kill('SIGKILL');
  await killed.ended;
  await expect(sae(['merge', out])).resolves.toMatchObject({ code: 75 });
  expect(await sae(['shard', request, '0/1', '--out', out])).toMatchObject({ code: 0 });
  expect(await sae(['merge', out])).toMatchObject({ code: 0 });
  expect(numbersIn(out)).toBe(expected);
});

it('SIGTERM keeps finished batches and exits with 75; cancel is seen by who computes', async () => {
  const out = join(base, 'stopped');
  const store = new FolderStore(out);
  const args = ['shard', long, '0/1', '--out', out, '--shard-samples', '48'];
  const stopped = start(args);
  await until(() => existsSync(out) && store.plan() !== null && store.partials().length > 0, {
    what: 'a journal',
    seconds: 60,
  });
  stopped.child.kill('SIGTERM');
  expect(await stopped.ended).toMatchObject({
    code: 75,
    stderr: expect.stringContaining('finished batches are kept') as string,
  });
  expect(store.partials()).toMatchObject([{ shard: 0 }]);
  const continued = start(args);
  await until(() => computeProcesses(continued.child.pid!).length > 0, { what: 'a process' });
  expect(await sae(['cancel', out])).toMatchObject({ code: 0 });
  expect(await continued.ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cancelled. Remove') as string,
  });
  expect(store.missing(store.plan()!)).toEqual([0]);
});
