/**
 * `deploy/slurm.sh` on a real Slurm with two nodes: calm, with a node killed, with tasks preempted,
 * with a time limit shorter than the work. Each ends with the numbers of a run on one device.
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from './host.js';
import { missingFor } from './needed-programs.js';
import { Network } from './network.js';
import { commandLine, digestOf, root, ShardedRun, smallRequest, succeeded } from './sharded-run.js';
import { Slurm, slurmPrograms } from './slurm.js';
import { full } from '../full.js';

const missing = missingFor(...slurmPrograms);
const timeout = 400_000;

describe.runIf(full && missing === '')(`an array of Slurm${missing}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-slurm-'));
  const run = new ShardedRun(folder, smallRequest());
  let network: Network;
  let slurm: Slurm;
  let single: string;

  beforeAll(async () => {
    network = new Network();
    slurm = new Slurm(network, join(folder, 'slurm'), { cpus: 2 });
    await slurm.start();
    single = await run.single();
  });
  afterEach(() => {
    for (const name of readdirSync(folder)) if (name.endsWith('.log')) rmSync(join(folder, name));
    run.clear();
  });
  afterAll(() => {
    network.close();
    rmSync(folder, { recursive: true });
  });

  /**
   * Runs the script with the lines that its head asks an administrator to change.
   * @returns the array's job and the one that merges
   */
  async function submit(seconds = '02:00'): Promise<{ array: number; merge: number }> {
    let text = readFileSync(join(root, 'deploy/slurm.sh'), 'utf8');
    for (const [line, own] of [
      ['--array=0-15', '--array=0-3'],
      ['#SBATCH --gres=gpu:1\n', ''],
      ['--cpus-per-task=8', '--cpus-per-task=1'],
      ['#SBATCH --mem=64G\n', ''],
      ['--time=04:00:00', `--time=00:${seconds}`],
    ] as const) {
      expect(text).toContain(line);
      text = text.replace(line, own);
    }
    const script = join(folder, 'slurm.sh');
    writeFileSync(script, text);
    chmodSync(script, 0o755);
    const ended = await slurm.controller.run(
      script,
      [run.request, run.out, '--shard-samples', '8'],
      {
        cwd: folder,
        env: { ...slurm.environment, SAE_EVAL: `${process.execPath} ${commandLine}` },
      },
    );
    succeeded(ended);
    const [array, merge] = ended.stdout.match(/\d+/g)!.map(Number);
    return { array: array!, merge: merge! };
  }

  const logs = (): string =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.log'))
      .map((name) => `${name}: ${readFileSync(join(folder, name), 'utf8')}`)
      .join('\n');

  /** Waits for both jobs. @returns how often tasks were put back into the queue */
  async function ended({ array, merge }: { array: number; merge: number }): Promise<number> {
    const tasks = await slurm.untilEnded(array, { seconds: 300 });
    expect(new Set(tasks.map(({ state }) => state)), logs()).toEqual(new Set(['COMPLETED']));
    expect(await slurm.untilEnded(merge), logs()).toMatchObject([{ state: 'COMPLETED' }]);
    return tasks.reduce((sum, { restarts }) => sum + restarts, 0);
  }

  it('computes a run, and the job after it writes the report', { timeout }, async () => {
    expect(await ended(await submit())).toBe(0);
    expect(digestOf(run.written())).toBe(single);
    const hosts = run.written().config.machines?.map(({ host }) => host);
    expect(hosts).toEqual(['node1', 'node2']);
  });

  it('computes it though a node is killed', { timeout }, async () => {
    const jobs = await submit();
    await run.untilDone(1);
    const [node] = slurm.nodes as [Host];
    await slurm.killNode(node);
    expect(run.done).toBeLessThan(8);
    await slurm.reviveNode(node);
    expect(await ended(jobs)).toBeGreaterThan(0);
    expect(digestOf(run.written())).toBe(single);
  });

  it('computes it though its tasks are preempted', { timeout }, async () => {
    const jobs = await submit();
    await run.untilDone(1);
    const urgent = await slurm.submit([
      ...['--partition=high', '--nodes=2', '--exclusive', '--output=/dev/null', '--wrap'],
      'sleep 1',
    ]);
    expect(await slurm.untilEnded(urgent)).toMatchObject([{ state: 'COMPLETED' }]);
    expect(await ended(jobs)).toBeGreaterThan(0);
    expect(digestOf(run.written())).toBe(single);
  });
});
