/**
 * `npm run gpu-check` on the simulated device: what a person starts on a machine with a GPU must
 * work there the first time. Its times mean nothing here.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { demoRequest } from '#src/cli/demo-request.js';
import { run } from '#src/evaluation/run/run.js';
import { root } from '../lm/reference.js';
import { simulatedCuda, simulatedEnvironment, type Counts } from './device.js';
import { full } from '../full.js';

const program = join(root, 'bench/gpu-check/main.mjs');

interface Checked {
  status: number | null;
  /** Names of rows by outcome. */
  rows: Map<string, string[]>;
  output: string;
}

async function check(options: readonly string[], environment = {}): Promise<Checked> {
  const env = { ...(await simulatedEnvironment()), ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...options], {
    env,
    encoding: 'utf8',
  });
  const rows = new Map<string, string[]>();
  for (const [, outcome, name] of stdout.matchAll(/^(ok|FAILED|skipped) +(.+?)(?: {2,}.*)?$/gm))
    rows.set(outcome!, [...(rows.get(outcome!) ?? []), name!]);
  return { status, rows, output: stdout + stderr };
}

describe('gpu-check on the simulated device', () => {
  it(
    full ? 'finds no fault' : 'finds no fault in the parts that are fast',
    async () => {
      const parts = full ? [] : ['--parts', 'device,logits'];
      // Some parts take minutes here.
      const patience = ['--patience', '60', '--seconds', '7200'];
      const { status, rows, output } = await check(['--device', 'cuda:1', ...parts, ...patience]);
      expect(rows.get('FAILED') ?? [], output).toEqual([]);
      expect(rows.get('ok')!.length).toBeGreaterThan(full ? 60 : 8);
      expect(status).toBe(0);
    },
    7_200_000,
  );

  it('ends with 1 if a row failed, and goes on after it', async () => {
    // Some of the checks cannot allocate what they ask for.
    const { status, rows, output } = await check(['--parts', 'binding'], {
      SIMULATED_CUDA_BYTES: String(2 ** 20),
    });
    expect(status, output).toBe(1);
    expect(rows.get('FAILED')).toContain('sums to float64');
    expect(rows.get('ok')).toContain('generators repeat');
  });

  it.runIf(full)('skips by name what has no time left', async () => {
    const { status, rows, output } = await check(['--parts', 'device,golden', '--seconds', '3']);
    expect(status, output).toBe(0);
    expect(rows.get('skipped')!.join()).toMatch(/golden/);
  });

  it('refuses a part that it does not know', async () => {
    const { status, output } = await check(['--parts', 'devices']);
    expect(status).toBe(2);
    expect(output).toMatch(/there is no part devices/);
  });

  it.runIf(full)('refuses a device that is not there', async () => {
    const { status, output } = await check(['--device', 'cuda:7']);
    expect(status).toBe(1);
    expect(output).toMatch(/gpu-check: cuda:7: /);
  });
});

describe.runIf(full)('the counts of a micro-batch that a GPU is compared with', () => {
  it('are those of the simulated device', async () => {
    const file = join(root, 'bench/gpu-check/micro-batch.json');
    const { request, simulated } = JSON.parse(readFileSync(file, 'utf8')) as {
      request: { dataset: object; batchSize: number };
      simulated: Record<string, number>;
    };
    const cuda = await simulatedCuda();
    const counts: Counts[] = [];
    await run(
      {
        ...demoRequest(),
        dataset: { ...demoRequest().dataset, ...request.dataset },
        ...{ batchSize: request.batchSize, device: 'cuda:1' },
      },
      { onBatch: () => counts.push(cuda.counts()) },
    );
    const [before, after] = counts.slice(-2) as [Counts, Counts];
    const found = (name: 'operators' | 'copiesToDevice' | 'copiesToHost' | 'waits'): number =>
      after[name] - before[name];
    const { operators, ...others } = simulated;
    expect(others).toEqual({
      copiesToDevice: found('copiesToDevice'),
      copiesToHost: found('copiesToHost'),
      waits: found('waits'),
    });
    // Some operators more or less are no reason to count anew.
    expect(Math.abs(operators! / found('operators') - 1)).toBeLessThanOrEqual(0.1);
  });
});
