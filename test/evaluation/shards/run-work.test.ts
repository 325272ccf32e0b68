/** The time that a run in shards still takes, by the work of its samples. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { demoRequest } from '#src/cli/demo-request.js';
import { checkInputs } from '#src/evaluation/run/inputs.js';
import { explain } from '#src/evaluation/run/plan/explain.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { planRun } from '#src/evaluation/shards/make-plan.js';
import { RunWork } from '#src/evaluation/shards/run-work.js';
import { ShardRunner } from '#src/evaluation/shards/runner.js';
import type { EvaluationRequest } from '#src/schema/index.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-work-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('shards whose samples are only measured take less, as --explain says', async () => {
  const demo = demoRequest();
  const request: EvaluationRequest = {
    ...demo,
    saes: demo.saes.slice(0, 2),
    dataset: { ...demo.dataset, seqLen: 8, maxSamples: 40 },
    batchSize: 4,
    spliceSamples: 12,
  };
  const store = new FolderStore(folder);
  const plan = await planRun(await checkInputs(request), store, { shardSamples: 8 });
  const work = new RunWork(plan, store);
  const none = { seconds: 10, before: new Set<number>(), underWay: new Map<number, number>() };
  // Nobody has decided yet: all are alike.
  expect(work.left({ ...none, done: new Set([0]) })).toBeCloseTo(40, 9);

  const runner = await ShardRunner.open({
    ...{ store, plan, group: 0, request },
    cache: new WeightCache(),
  });
  runner.close();
  const { plan: whole, measured } = await explain(request);
  const share = store.decided(0)!.measuredWork!;
  // An SAE that encodes again for a splice counts with both passes.
  const ratio = share / (measured!.flopsPerToken / whole.flopsPerToken);
  expect(ratio).toBeGreaterThanOrEqual(1);
  expect(ratio).toBeLessThan(1.05);
  expect(share).toBeLessThan(0.5);

  // 8 and 4 samples are spliced, 28 are not.
  const left = 4 + 4 * share + 24 * share;
  expect(work.left({ ...none, done: new Set([0]) })).toBeCloseTo((10 / 8) * left, 9);
  const underWay = new Map([[4, 6]]);
  const others = { ...none, before: new Set([0, 1]), done: new Set([0, 1, 2]), underWay };
  expect(work.left(others)).toBeCloseTo((10 / 14) * 10, 9);
  expect(work.left({ ...none, done: new Set() })).toBeNull();
  expect(work.left({ ...none, done: new Set([0, 1, 2, 3, 4]) })).toBe(0);
});
