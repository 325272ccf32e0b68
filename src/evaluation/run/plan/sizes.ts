/**
 * Costs of a request in shards: bytes on disk, and time by the rate of this device's matmuls. For
 * choosing devices and the size of a shard; the run itself does not use it.
 */
import type { Table } from '../../../metrics/table.js';
import { columnsOf, vectorsOf } from '../../../metrics/table.js';
import { protocolNames, type ResolvedRequest } from '../../../schema/index.js';
import { ops, rand, scope, synchronize, type DType } from '../../../torch/index.js';
import { rangesOf } from '../../shards/plan.js';
import { recordBytesFor } from '../../shards/tokens-file.js';
import type { Strategy, Wanted } from '../../engine/strategies/strategy.js';
import type { Plan } from './plan.js';

export interface RunSizes {
  /** Samples of the run, at most: the text may have fewer. */
  samples: number;
  shards: number;
  /** Samples of a shard. */
  shardSamples: number;
  /** Bytes of a sample in a shard's file. */
  sampleBytes: number;
  /** Bytes of a shard's file. */
  shardBytes: number;
  /** Bytes of the token ids of the run. */
  tokenBytes: number;
  /** FLOPs of matmuls in a second, as measured now. */
  rate: number;
  /** Seconds of a shard on this device, about; the mean, if some are spliced and some not. */
  shardSeconds: number;
  /** Seconds of a shard that takes the longest. */
  longestSeconds: number;
}

/** A float64. */
const valueBytes = 8;
/** Columns of every sample: its length, special tokens, three sums under each protocol. */
const sharedColumns = 2 + 3 * protocolNames.length;
/** Parts that the exact sum of a vector has, about. */
const vectorParts = 2;
/** Part of the matmuls' rate that a run reaches, on the devices that were measured. */
const reached = 0.75;

function columnsFor({ variants, slots }: Strategy, table: Table, wanted: Wanted): number {
  const columns = columnsOf(table);
  let count = 0;
  for (const protocol of wanted.protocols)
    for (const { splicedAt } of slots[protocol])
      for (const column of columns)
        if (column.from !== 'reconstruction') count += splicedAt === null ? 0 : 1;
        else if (column.protocols.includes(protocol))
          count += column.ofSpecials === true && protocol === 'strict' ? 2 : 1;
  return count * variants.length;
}

/** Bytes of a sample and of a shard's vectors. */
function bytesOf(
  strategies: readonly { strategy: Strategy; m: number; d: number }[],
  wanted: Wanted,
): { sample: number; vectors: number } {
  const table = wanted.metrics ?? [];
  const columns = strategies.reduce(
    (sum, { strategy }) => sum + columnsFor(strategy, table, wanted),
    sharedColumns,
  );
  const hasVectors = wanted.protocols.has('strict') && vectorsOf(table).length > 0;
  const values = strategies.reduce(
    (sum, { strategy, m, d }) => sum + strategy.variants.length * (m + d),
    0,
  );
  return {
    sample: columns * valueBytes,
    vectors: hasVectors ? values * valueBytes * vectorParts : 0,
  };
}

/** FLOPs of a matmul in a second on a device. Takes a third of a second. */
function matmulRate(device: string, dtype: DType): number {
  const side = device === 'cpu' ? 1024 : 8192;
  return scope(() => {
    const a = rand([side, side], { dtype: 'float32', device }).to({ dtype });
    const multiply = (): void =>
      scope(() => {
        ops.matmul(a, a);
        return undefined;
      });
    multiply();
    synchronize(device);
    const began = performance.now();
    let times = 0;
    while (performance.now() - began < 300) {
      multiply();
      synchronize(device);
      times += 1;
    }
    return (times * 2 * side ** 3) / ((performance.now() - began) / 1000);
  });
}

/** Sizes of the shards of a request. */
export function sizesOf(
  request: ResolvedRequest & { device: string },
  {
    plan,
    measured,
    saes,
    wanted,
    shardSamples,
  }: {
    plan: Plan;
    /** The plan of samples that are not spliced, if there are others. */
    measured: Plan | null;
    saes: readonly { strategy: Strategy; m: number; d: number }[];
    wanted: Wanted;
    /** Samples of a shard, as asked for. */
    shardSamples?: number | undefined;
  },
): RunSizes {
  const { dataset, batchSize, device, dtype } = request;
  const samples = dataset.maxSamples;
  const ranges = rangesOf({ batches: Math.ceil(samples / batchSize), batchSize, shardSamples });
  const [from, to] = ranges[0]!;
  const each = Math.min(samples, (to - from) * batchSize);
  const bytes = bytesOf(saes, wanted);
  const rate = matmulRate(device, dtype);
  const secondsOf = (flopsPerToken: number, count: number): number =>
    (flopsPerToken * dataset.seqLen * count) / (rate * reached);
  /** Seconds of the first samples of a run. */
  const seconds = (count: number): number => {
    const spliced = measured === null ? count : Math.min(count, request.spliceSamples ?? count);
    return (
      secondsOf(plan.flopsPerToken, spliced) +
      (spliced === count ? 0 : secondsOf(measured!.flopsPerToken, count - spliced))
    );
  };
  return {
    samples,
    shards: ranges.length,
    shardSamples: each,
    sampleBytes: bytes.sample,
    shardBytes: bytes.sample * each + bytes.vectors,
    tokenBytes: samples * recordBytesFor(dataset.seqLen, (dataset.roles ?? []).length > 0),
    rate,
    shardSeconds: (seconds(samples) * each) / samples,
    longestSeconds: seconds(each),
  };
}
