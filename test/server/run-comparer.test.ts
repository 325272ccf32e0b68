/** Comparisons in pairs: bounded in memory and time. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RunComparer } from '#server/run-comparer.js';
import { run } from '#src/evaluation/run/run.js';
import { shipped } from '../golden/load.js';
import { temporaryFolder } from './harness.js';

const folder = temporaryFolder();
const base = { path: join(folder.path, 'sums.safetensors'), name: 'base' };
const turn = { turn: { client: 'c' } };

beforeAll(async () => {
  await run(
    {
      model: shipped('tiny-llama'),
      dataset: { path: shipped('eval'), seqLen: 8, maxSamples: 12 },
      saes: [{ kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 }],
      batchSize: 4,
      device: 'cpu',
    },
    { sums: base.path },
  );
});
afterAll(() => folder.remove());

it('compares what it may', async () => {
  const comparer = new RunComparer({ niceness: 0 });
  const { runs } = await comparer.compare(base, { others: [base], ...turn });
  expect(runs[0]!.differences.length).toBeGreaterThan(0);
});

it.each([
  [{ mostBytes: 1000 }, /the sums have \d+ MB, more than the 0 MB/],
  [{ longestMs: 1 }, /the comparison takes more than 0.001 s/],
])('refuses what is too much in a sentence: %j', async (limits, message) => {
  const comparer = new RunComparer({ niceness: 0, ...limits });
  await expect(comparer.compare(base, { others: [base], ...turn })).rejects.toMatchObject({
    code: 'request-invalid',
    message: expect.stringMatching(message) as string,
    fields: [{ path: 'others' }],
  });
});
