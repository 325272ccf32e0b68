/** The sizes that `--explain` tells are those of the files. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { checkInputs } from '#src/evaluation/run/inputs.js';
import { explain } from '#src/evaluation/run/plan/explain.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { planRun } from '#src/evaluation/shards/make-plan.js';
import { ShardRunner } from '#src/evaluation/shards/runner.js';
import { demoRequest } from '#src/cli/demo-request.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-sizes-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('for the eight kinds, or a little more', async () => {
  const demo = demoRequest();
  const request = {
    ...demo,
    dataset: { ...demo.dataset, seqLen: 8, maxSamples: 160 },
    batchSize: 32,
    // The splices take the time and are columns like the others.
    metrics: ['NormMSE', 'L0', 'DeadLatents', 'ExplainedVariance', 'DeltaCE'],
  } as typeof demo;
  const { sizes } = await explain(request, { shardSamples: 96 });
  const store = new FolderStore(folder);
  const plan = await planRun(await checkInputs(request), store, { shardSamples: 96 });
  expect([sizes.shards, sizes.samples]).toEqual([plan.shards.length, 160]);
  expect(statSync(store.tokensPath).size).toBe(sizes.tokenBytes);
  const cache = new WeightCache();
  const runner = await ShardRunner.open({ store, plan, group: 0, request, cache });
  await runner.run(0);
  runner.close();
  // Some kinds have no value in some columns, which the estimate does not know.
  const { size } = statSync(store.shardPath(0));
  expect(sizes.shardSamples).toBe(96);
  expect(size / sizes.shardBytes).toBeGreaterThan(0.75);
  expect(size / sizes.shardBytes).toBeLessThan(1.05);
  expect(sizes.rate).toBeGreaterThan(0);
});
