/**
 * The plan of a run in shards: it covers everything once, and is the same wherever the files lie
 * and whoever makes it.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { indexOfEnvironment, indexOfText, shardsFor } from '#src/cli/array-index.js';
import { checkInputs } from '#src/evaluation/run/inputs.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { planRun, type PlanOptions } from '#src/evaluation/shards/make-plan.js';
import { groupsOf, rangesOf, shardsOf, type ShardPlan } from '#src/evaluation/shards/plan.js';
import { readTokens } from '#src/evaluation/shards/tokens-file.js';
import type { EvaluationRequest } from '#src/schema/index.js';
import { shipped } from '../../golden/load.js';

const base = mkdtempSync(join(tmpdir(), 'sae-eval-plan-'));
afterAll(() => rmSync(base, { recursive: true }));

const requestIn = (folder: string, change: object = {}): EvaluationRequest => ({
  model: join(folder, 'model'),
  dataset: { path: join(folder, 'text'), seqLen: 8, maxSamples: 23 },
  saes: [{ kind: 'TopK', checkpoint: join(folder, 'sae.pt'), layer: 16, k: 16 }],
  batchSize: 2,
  ...change,
});

function filesIn(folder: string): string {
  cpSync(shipped('tiny-llama'), join(folder, 'model'), { recursive: true });
  cpSync(shipped('eval'), join(folder, 'text'), { recursive: true });
  cpSync(shipped('TopK_tiny.pt'), join(folder, 'sae.pt'));
  return folder;
}

async function planOf(
  request: EvaluationRequest,
  { store = mkdtempSync(join(base, 'store-')), ...options }: PlanOptions & { store?: string } = {},
): Promise<ShardPlan> {
  return planRun(await checkInputs(request), new FolderStore(store), options);
}

describe('the shards of a plan', () => {
  it('cover every batch and every SAE once, in whole batches', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 1, max: 512 }),
        fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 50 }),
        (batches, batchSize, shardSamples, sites, saesPerShard) => {
          const ranges = rangesOf({ batches, batchSize, shardSamples });
          const groups = groupsOf(sites.map(String), saesPerShard);
          const shards = shardsOf(ranges, groups.length);
          expect(shards.map(({ index }) => index)).toEqual([...shards.keys()]);
          const seen = new Map<number, number>();
          for (const {
            batches: [from, to],
            group,
          } of shards)
            for (let batch = from; batch < to; batch++)
              for (const sae of groups[group]!) {
                const pair = batch * sites.length + sae;
                seen.set(pair, (seen.get(pair) ?? 0) + 1);
              }
          expect(seen.size).toBe(batches * sites.length);
          expect([...seen.values()].every((times) => times === 1)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('fall to n processes once each, for every n', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 40 }),
        (shards, count) => {
          const all = Array.from({ length: count }, (_, index) =>
            shardsFor({ index, count, from: '' }, shards),
          ).flat();
          expect(all.sort((a, b) => a - b)).toEqual([...Array(shards).keys()]);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('the index of a process', () => {
  it.each([
    [
      {
        SLURM_ARRAY_TASK_ID: '7',
        SLURM_ARRAY_TASK_MIN: '3',
        SLURM_ARRAY_TASK_STEP: '2',
        SLURM_ARRAY_TASK_COUNT: '5',
        SLURM_PROCID: '0',
        SLURM_NTASKS: '1',
      },
      { index: 2, count: 5 },
    ],
    [{ JOB_COMPLETION_INDEX: '4' }, { index: 4, count: null }],
    [
      { AWS_BATCH_JOB_ARRAY_INDEX: '1', AWS_BATCH_JOB_ARRAY_SIZE: '9' },
      { index: 1, count: 9 },
    ],
    [
      { BATCH_TASK_INDEX: '2', BATCH_TASK_COUNT: '3' },
      { index: 2, count: 3 },
    ],
    [{ PBS_ARRAY_INDEX: '6' }, { index: 6, count: null }],
    [
      { LSB_JOBINDEX: '3', LSB_JOBINDEX_END: '8', LSB_JOBINDEX_STEP: '1' },
      { index: 2, count: 8 },
    ],
    [
      {
        SGE_TASK_ID: '5',
        SGE_TASK_FIRST: '1',
        SGE_TASK_LAST: '9',
        SGE_TASK_STEPSIZE: '4',
      },
      { index: 1, count: 3 },
    ],
    [
      { SKYPILOT_NODE_RANK: '1', SKYPILOT_NUM_NODES: '4' },
      { index: 1, count: 4 },
    ],
    [
      { SLURM_PROCID: '5', SLURM_NTASKS: '8' },
      { index: 5, count: 8 },
    ],
    [
      { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' },
      { index: 1, count: 2 },
    ],
    // Two tasks in each member of an array of three.
    [
      {
        SLURM_ARRAY_TASK_ID: '1',
        SLURM_ARRAY_TASK_MIN: '0',
        SLURM_ARRAY_TASK_COUNT: '3',
        SLURM_PROCID: '1',
        SLURM_NTASKS: '2',
      },
      { index: 3, count: 6 },
    ],
  ])('comes from %j', (environment, expected) => {
    expect(indexOfEnvironment(environment)).toMatchObject(expected);
  });

  it.each([
    {},
    { LSB_JOBINDEX: '0' },
    { SGE_TASK_ID: 'undefined' },
    { SLURM_PROCID: '0', SLURM_NTASKS: '1' },
  ])('is none outside of an array: %j', (environment) =>
    expect(indexOfEnvironment(environment)).toBeNull(),
  );

  it.each(['3', '3/3', '-1/4', 'a/b', '1/0'])('is refused as %s', (text) => {
    expect(() => indexOfText(text)).toThrow('expected i/n');
  });
});

describe('a plan', () => {
  let here: string;
  beforeAll(() => {
    here = filesIn(mkdtempSync(join(base, 'files-')));
  });

  it('is the same for copies of the files, whatever their paths and times', async () => {
    const there = filesIn(mkdtempSync(join(base, 'other-')));
    utimesSync(join(there, 'sae.pt'), 1, 1);
    const [one, other] = [await planOf(requestIn(here)), await planOf(requestIn(there))];
    expect(other.digest).toBe(one.digest);
    const named = await planOf(requestIn(here, { name: 'again', notes: 'text' }));
    expect(named.digest).toBe(one.digest);
  });

  it('is another one for other text, weights, settings or shards', async () => {
    const { digest } = await planOf(requestIn(here));
    const change = async (edit: (folder: string) => void): Promise<string> => {
      const folder = filesIn(mkdtempSync(join(base, 'edited-')));
      edit(folder);
      return (await planOf(requestIn(folder))).digest;
    };
    const digests = [
      digest,
      await change((folder) =>
        cpSync(shipped('Vanilla_tiny.pt'), join(folder, 'model', 'notes.txt')),
      ),
      await change((folder) => {
        const path = join(folder, 'sae.pt');
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1]! ^= 1;
        writeFileSync(path, bytes);
      }),
      (await planOf(requestIn(here, { batchSize: 3 }))).digest,
      (await planOf(requestIn(here, { seed: 7 }))).digest,
      (await planOf(requestIn(here), { shardSamples: 8 })).digest,
    ];
    // A file that nothing reads changes nothing.
    expect(digests[1]).toBe(digest);
    expect(new Set(digests).size).toBe(digests.length - 1);
  });

  it('is made by one of two that begin at once; the other takes it', async () => {
    const store = mkdtempSync(join(base, 'both-'));
    const plans = await Promise.all([1, 2].map(() => planOf(requestIn(here), { store })));
    expect(plans[0]!.id).toBe(plans[1]!.id);
  });

  it('is taken by its request with the defaults filled in, in whatever order of keys', async () => {
    const store = mkdtempSync(join(base, 'filled-'));
    const plan = await planOf(requestIn(here), { store });
    const { validated } = await checkInputs(requestIn(here));
    expect(await planOf(validated.request, { store })).toEqual(plan);
    const { model, dataset, ...rest } = requestIn(here);
    expect(await planOf({ ...rest, dataset, model }, { store })).toEqual(plan);
  });

  it('is taken by its own request alone, on its own files', async () => {
    const folder = filesIn(mkdtempSync(join(base, 'joined-')));
    const store = mkdtempSync(join(base, 'store-'));
    await planOf(requestIn(folder), { store });
    await expect(planOf(requestIn(folder, { seed: 7 }), { store })).rejects.toMatchObject({
      code: 'request-invalid',
    });
    const path = join(folder, 'model', 'config.json');
    writeFileSync(path, `${readFileSync(path, 'utf8')} `);
    await expect(planOf(requestIn(folder), { store })).rejects.toMatchObject({
      code: 'input-changed',
      message: expect.stringContaining('config.json') as string,
    });
  });

  it('has the tokens of every range, and notices one that was changed', async () => {
    const store = new FolderStore(mkdtempSync(join(base, 'tokens-')));
    const { tokens, request } = await planOf(requestIn(here), { store: store.folder });
    const { seqLen } = request.dataset;
    const read = (range: number) =>
      readTokens(store.tokensPath, {
        seqLen,
        recordBytes: tokens.recordBytes,
        batchSize: 2,
        samples: tokens.samples,
        ...tokens.ranges[range]!,
      });
    const batches = tokens.ranges.flatMap((_, range) => read(range));
    expect(batches.map(({ length }) => length)).toEqual([...Array<number>(11).fill(2), 1]);
    for (const { ids, length, truncated } of batches.flat()) {
      expect(ids).toHaveLength(seqLen);
      expect(length).toBeLessThanOrEqual(seqLen);
      expect(truncated).toBeGreaterThanOrEqual(0);
    }
    const bytes = readFileSync(store.tokensPath);
    expect(bytes).toHaveLength(tokens.samples * tokens.recordBytes);
    bytes[5]! ^= 1;
    writeFileSync(store.tokensPath, bytes);
    expect(() => read(0)).toThrow('are not those of the plan');
    expect(read(1)).toHaveLength(1);
    writeFileSync(store.tokensPath, bytes.subarray(0, 40));
    expect(() => read(1)).toThrow('are not those of the plan');
  });
});
