/** Sums of shards: merged in any grouping to the same bits, and never believed if damaged. */
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkInputs } from '#src/evaluation/run/inputs.js';
import { run } from '#src/evaluation/run/run.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { planRun } from '#src/evaluation/shards/make-plan.js';
import { merge } from '#src/evaluation/shards/merge.js';
import type { ShardPlan } from '#src/evaluation/shards/plan.js';
import { ShardRunner } from '#src/evaluation/shards/runner.js';
import { errorTable } from '#src/errors.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { shipped } from '../../golden/load.js';

const base = mkdtempSync(join(tmpdir(), 'sae-eval-merge-'));
afterAll(() => rmSync(base, { recursive: true }));

/** Numbers of every magnitude, whose sums round differently in every order. */
const number = fc
  .tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: -300, max: 300 }))
  .map(([value, exponent]) => value * 2 ** exponent);

function accumulatorOf(batches: readonly { column: number[]; vector: number[] }[]): Accumulator {
  const whole = new Accumulator();
  for (const { column, vector } of batches) {
    const one = new Accumulator();
    one.append('column', Float64Array.from(column));
    one.add('vector', Float64Array.from(vector));
    one.endBatch(column.length);
    whole.merge(one);
  }
  return whole;
}

const bits = (accumulator: Accumulator): string =>
  JSON.stringify([
    accumulator.batchSizes,
    [...accumulator.column('column')!].map(String),
    [...accumulator.vector('vector')!].map(String),
  ]);

describe('accumulators', () => {
  it('merge to the same bits however they are divided', () => {
    const batch = fc.record({
      column: fc.array(number, { minLength: 1, maxLength: 3 }),
      vector: fc.array(number, { minLength: 2, maxLength: 2 }),
    });
    fc.assert(
      fc.property(
        fc.array(batch, { minLength: 2, maxLength: 12 }),
        fc.infiniteStream(fc.boolean()),
        (batches, cuts) => {
          const parts: (typeof batches)[] = [[]];
          for (const one of batches) {
            if (cuts.next().value && parts.at(-1)!.length > 0) parts.push([]);
            parts.at(-1)!.push(one);
          }
          const merged = new Accumulator();
          for (const part of parts) merged.merge(accumulatorOf(part));
          expect(bits(merged)).toBe(bits(accumulatorOf(batches)));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('merge 300,000 batches', () => {
    const part = new Accumulator();
    part.append('column', new Float64Array(1000).fill(0.1));
    part.add('vector', Float64Array.of(0.1));
    for (let batch = 0; batch < 1000; batch++) part.endBatch(1);
    const whole = new Accumulator();
    for (let count = 0; count < 300; count++) whole.merge(part);
    expect(whole.sequences).toBe(300_000);
    expect(whole.column('column')).toHaveLength(300_000);
    // 300 times 0.1 exactly, rounded once; repeated addition gives 30.000000000000156.
    expect(whole.vector('vector')).toEqual(Float64Array.of(30));
    expect(Accumulator.restore(whole.state()).batchSizes).toHaveLength(300_000);
  });
});

const numbersOf = ({ results, comparisons }: EvaluationResult): string =>
  createHash('sha256')
    .update(JSON.stringify([results, comparisons]))
    .digest('hex');

const k = 16;
const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 12, maxSamples: 22 },
  batchSize: 4,
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k },
    { kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k, routing: 'soft' },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k },
    { kind: 'Vanilla', checkpoint: shipped('Vanilla_tiny.pt'), layer: 16 },
    { kind: 'Gated', checkpoint: shipped('Gated_tiny.pt'), layer: 16 },
    { kind: 'JumpReLU', checkpoint: shipped('JumpReLU_tiny.pt'), layer: 16 },
    { kind: 'Crosscoder', checkpoint: shipped('Crosscoder_tiny.pt') },
    { kind: 'RandomK', checkpoint: shipped('TopK_tiny.pt'), k },
  ],
};

async function planned(
  folder: string,
  own: EvaluationRequest,
  options: { shardSamples?: number; saesPerShard?: number } = {},
): Promise<{ store: FolderStore; plan: ShardPlan }> {
  const store = new FolderStore(folder);
  return { store, plan: await planRun(await checkInputs(own), store, options) };
}

describe('the shards of the eight kinds', () => {
  const folder = mkdtempSync(join(base, 'kinds-'));
  let store: FolderStore;
  let plan: ShardPlan;
  let single: EvaluationResult;

  beforeAll(async () => {
    single = await run(request);
    ({ store, plan } = await planned(folder, request, { shardSamples: 8 }));
    const runner = await ShardRunner.open({
      store,
      plan,
      group: 0,
      request,
      cache: new WeightCache(),
    });
    for (const index of [2, 0, 1]) await runner.run(index);
    expect((await runner.run(1, { repeat: true })).outcome).toBe('there');
    runner.close();
  });

  it('give the bits of a run in one piece, in any order and with a repetition', async () => {
    const merged = await merge(store);
    expect(numbersOf(merged)).toBe(numbersOf(single));
    expect(merged.data).toEqual(single.data);
    expect(merged.findings).toEqual(single.findings);
    expect(merged.config.plan).toEqual({ digest: plan.digest, shards: 3, merged: 3 });
    expect(merged.config.machines).toMatchObject([{ shards: 3 }]);
    expect(merged.timing.computeSeconds).toBeGreaterThan(0);
  });

  it('are missed by name, or left out if that is allowed', async () => {
    const copy = new FolderStore(mkdtempSync(join(base, 'missing-')));
    copy.open();
    for (const name of ['plan.json', 'decisions.json'])
      copyFileSync(join(folder, name), join(copy.folder, name));
    await expect(merge(copy)).rejects.toMatchObject({ code: 'not-finished' });
    copyFileSync(store.shardPath(0), copy.shardPath(0));
    copyFileSync(store.shardPath(2), copy.shardPath(2));
    await expect(merge(copy)).rejects.toThrow('1 of 3 shards are not there (1)');
    const some = await merge(copy, { allowMissing: true });
    expect(some).toMatchObject({ status: 'cancelled', stopped: true, data: { samples: 14 } });
    expect(some.data.warnings.at(-1)!.en).toContain('1 of 3 shards are missing (1)');
  });

  it('are not believed with any byte flipped, cut off, or of another plan', async () => {
    const hostile = new FolderStore(mkdtempSync(join(base, 'hostile-')));
    hostile.open();
    for (const name of ['plan.json', 'decisions.json'])
      copyFileSync(join(folder, name), join(hostile.folder, name));
    for (const index of [1, 2]) copyFileSync(store.shardPath(index), hostile.shardPath(index));
    const good = readFileSync(store.shardPath(0));
    const path = hostile.shardPath(0);
    const refused = async (): Promise<void> =>
      expect(merge(hostile)).rejects.toMatchObject({ code: 'storage-damaged' });
    for (let at = 0; at < good.length; at += Math.ceil(good.length / 23)) {
      const bytes = Buffer.from(good);
      bytes[at]! ^= 0x10;
      writeFileSync(path, bytes);
      await refused();
    }
    for (const length of [0, 7, 40, 1000, good.length - 1]) {
      writeFileSync(path, good);
      truncateSync(path, length);
      await refused();
    }
    // Another shard under this name, and headers that lie under a right checksum.
    copyFileSync(store.shardPath(1), path);
    await refused();
    for (const header of [
      '{"__metadata__":{"sha256":"%"},"a":{"dtype":"F64","shape":[1e15],"data_offsets":[0,8e15]}}',
      '{"__metadata__":{"sha256":"%"},"a":{"dtype":"F64","shape":[-1],"data_offsets":[0,-8]}}',
      '{"__metadata__":{"sha256":"%"},"a":7}',
      '{"__metadata__":{"sha256":"%","format":"sae-eval shard","version":"1","about":"{}"}}',
      '{"__metadata__":{"sha256":"%"',
      `{"__metadata__":{"sha256":"%"},"x":${'['.repeat(20_000)}`,
    ]) {
      writeFileSync(path, withChecksum(header));
      await refused();
    }
  });

  it('must have the same sums when they are computed twice', () => {
    const there = store.get(0);
    const { sums: _, ...again } = there;
    expect(store.put({ ...again, host: 'elsewhere', seconds: 7 })).toBe('there');
    const other = new Accumulator();
    other.merge(there.accumulator);
    other.append(other.columnNames[0]!, Float64Array.of(1e-300));
    expect(() => store.put({ ...again, host: 'elsewhere', accumulator: other })).toThrow(
      /computed different sums.*00000\.safetensors/s,
    );
    // The file of the first stays, and nothing else is left.
    expect(store.get(0).sums).toBe(there.sums);
    expect(readdirSync(join(folder, 'shards')).sort()).toEqual(
      [0, 1, 2].map((index) => `0000${index}.safetensors`),
    );
  });
});

it('shards before, at and after the last spliced sample have the bits of one piece', async () => {
  const own: EvaluationRequest = { ...request, saes: request.saes.slice(0, 3), spliceSamples: 10 };
  const { store, plan } = await planned(mkdtempSync(join(base, 'spliced-')), own, {
    shardSamples: 8,
  });
  const runner = await ShardRunner.open({
    ...{ store, plan, group: 0, request: own },
    cache: new WeightCache(),
  });
  for (const index of [1, 2, 0]) await runner.run(index);
  runner.close();
  const [merged, single] = [await merge(store), await run(own)];
  expect(single.data.spliceSamples).toBe(10);
  expect(merged.data).toEqual(single.data);
  expect(numbersOf(merged)).toBe(numbersOf(single));
});

it('another kind of machine is refused, unless any will do, which the result says', async () => {
  const own: EvaluationRequest = {
    ...request,
    dataset: { ...request.dataset, maxSamples: 8 },
    saes: request.saes.slice(0, 1),
  };
  const { store, plan } = await planned(mkdtempSync(join(base, 'machines-')), own, {
    shardSamples: 4,
  });
  const open = (anyMachine: boolean): Promise<ShardRunner> =>
    ShardRunner.open({
      ...{ store, plan, anyMachine },
      group: 0,
      request: own,
      cache: new WeightCache(),
    });
  const first = await open(false);
  await first.run(0);
  first.close();
  const path = join(store.folder, 'decisions.json');
  const decided = JSON.parse(readFileSync(path, 'utf8')) as { machine: object };
  const machine = { ...decided.machine, processor: 'Another processor' };
  writeFileSync(path, JSON.stringify({ ...decided, machine }));
  await expect(open(false)).rejects.toMatchObject({
    code: 'machine-differs',
    message: expect.stringMatching(/was begun on Another processor .*--machine any/s) as string,
  });
  expect(errorTable['machine-differs'].exitCode).toBe(75);
  const second = await open(true);
  await second.run(1);
  second.close();
  // As if the first shard came from there.
  const { sums: _, ...there } = store.get(0);
  rmSync(store.shardPath(0));
  store.put({ ...there, host: 'elsewhere', machine: 'Another processor' });
  const { config, data } = await merge(store);
  expect(config.machines).toMatchObject([{ host: 'elsewhere', shards: 1 }, { shards: 1 }]);
  expect(data.warnings.at(-1)!.en).toContain('Machines of several kinds');
});

/** A file with a header and the checksum that fits it. */
function withChecksum(header: string): Buffer {
  const json = Buffer.from(header.replace('%', '0'.repeat(64)));
  const bytes = Buffer.alloc(8 + json.length);
  bytes.writeBigUInt64LE(BigInt(json.length));
  json.copy(bytes, 8);
  const digest = createHash('sha256').update(bytes).digest('hex');
  bytes.write(digest, 8 + '{"__metadata__":{"sha256":"'.length);
  return bytes;
}

it('groups of SAEs have the numbers of a run of all, but for the last digits', async () => {
  const own: EvaluationRequest = {
    ...request,
    dataset: { ...request.dataset, maxSamples: 8 },
    saes: request.saes.slice(0, 3),
  };
  const { store, plan } = await planned(mkdtempSync(join(base, 'groups-')), own, {
    shardSamples: 4,
    saesPerShard: 2,
  });
  expect(plan.shards).toHaveLength(4);
  for (const group of [0, 1]) {
    const runner = await ShardRunner.open({
      store,
      plan,
      group,
      request: own,
      cache: new WeightCache(),
    });
    for (const shard of plan.shards) if (shard.group === group) await runner.run(shard.index);
    runner.close();
  }
  const [merged, single] = [await merge(store), await run(own)];
  expect(merged.results.map(({ label }) => label)).toEqual(
    single.results.map(({ label }) => label),
  );
  for (const [at, { reference, strict }] of merged.results.entries()) {
    const other = single.results[at]!;
    for (const name of ['NormMSE', 'KLDiv', 'DeltaCE'] as const) {
      const [value, expected] = [reference![name], other.reference![name]];
      if (expected === null) expect(value).toBeNull();
      else expect(value! / expected).toBeCloseTo(1, 4);
    }
    expect(strict!.L0!.mean).toBe(other.strict!.L0!.mean);
  }
});
