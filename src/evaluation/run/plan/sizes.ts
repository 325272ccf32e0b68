/**
 * Costs of a request in shards: bytes on disk, and time by the rate of this device's matmuls. For
 * choosing devices and the size of a shard; the run itself does not use it.
 */
import type { Table } from '../../../metrics/table.js';
import { allPeerColumns } from '../../../metrics/peers/columns.js';
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
  /** Bytes of weights that are read in a second, as measured now; null if the weights fit. */
  readRate: number | null;
  /** Seconds of a shard on this device, about; the mean, if some are spliced and some not. */
  shardSeconds: number;
  /** Seconds of a shard that takes the longest. */
  longestSeconds: number;
}

/** A float64. */
const valueBytes = 8;
/** Columns of every sample: its length, special tokens, three sums under each protocol. */
const sharedColumns = 2 + 3 * protocolNames.length;
/** Counts and the clean cross-entropy over positions that another tool counts. */
const peerCounts = 3;
/** Parts that the exact sum of a vector has, about. */
const vectorParts = 2;
/** Part of the matmuls' rate that a run reaches, on the devices that were measured. */
const reached = 0.75;

function columnsFor({ variants, slots, peers }: Strategy, table: Table, wanted: Wanted): number {
  const columns = columnsOf(table);
  let count = 0;
  for (const protocol of wanted.protocols)
    for (const { splicedAt } of slots[protocol])
      for (const column of columns)
        if (column.from !== 'reconstruction') count += splicedAt === null ? 0 : 1;
        else if (column.protocols.includes(protocol))
          count += column.ofSpecials === true && protocol === 'strict' ? 2 : 1;
  const ofPeers = (peers?.length ?? 0) * (allPeerColumns.length + peerCounts);
  return (count + ofPeers) * variants.length;
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
  const values = strategies.reduce((sum, { strategy, m, d }) => {
    const protocols = (hasVectors ? 1 : 0) + (strategy.peers?.length ?? 0);
    return sum + strategy.variants.length * protocols * (m + d);
  }, 0);
  return { sample: columns * valueBytes, vectors: values * valueBytes * vectorParts };
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

/** Reading of weights that do not fit. */
export interface Reading {
  bytesPerSecond: number;
  /** Most bytes that are read for a number of samples, the first of which are spliced. */
  bytesFor(samples: number, spliced: number): number;
}

/**
 * Seconds of a shard: blocks are read while others compute, so that the longer of both counts, for
 * samples that are spliced and for the others.
 */
export function shardSecondsOf(
  { samples, spliced }: { samples: number; spliced: number },
  {
    flops,
    rate,
    seqLen,
    reading,
  }: {
    /** FLOPs of a token. */
    flops: { spliced: number; measured: number };
    /** FLOPs in a second. */
    rate: number;
    seqLen: number;
    reading: Reading | null;
  },
): number {
  const computing = (flopsPerToken: number, count: number): number =>
    (flopsPerToken * seqLen * count) / rate;
  const bytes = (count: number): number => reading?.bytesFor(count, spliced) ?? 0;
  const readingOf = (more: number): number => more / (reading?.bytesPerSecond ?? 1);
  return (
    Math.max(computing(flops.spliced, spliced), readingOf(bytes(spliced))) +
    Math.max(
      computing(flops.measured, samples - spliced),
      readingOf(bytes(samples) - bytes(spliced)),
    )
  );
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
    reading = null,
  }: {
    plan: Plan;
    /** The plan of samples that are not spliced, if there are others. */
    measured: Plan | null;
    saes: readonly { strategy: Strategy; m: number; d: number }[];
    wanted: Wanted;
    /** Samples of a shard, as asked for. */
    shardSamples?: number | undefined;
    /** Reading of weights that do not fit; default null, they fit. */
    reading?: Reading | null;
  },
): RunSizes {
  const { dataset, batchSize, device, dtype } = request;
  const samples = dataset.maxSamples;
  const ranges = rangesOf({ batches: Math.ceil(samples / batchSize), batchSize, shardSamples });
  const [from, to] = ranges[0]!;
  const each = Math.min(samples, (to - from) * batchSize);
  const bytes = bytesOf(saes, wanted);
  const rate = matmulRate(device, dtype);
  const spliced = measured === null ? samples : Math.min(samples, request.spliceSamples ?? samples);
  const time = { rate: rate * reached, seqLen: dataset.seqLen, reading };
  const flops = { spliced: plan.flopsPerToken, measured: measured?.flopsPerToken ?? 0 };
  const seconds = ranges.map(([first, end]) => {
    const [begin, stop] = [first * batchSize, Math.min(samples, end * batchSize)];
    const ofSplices = Math.max(0, Math.min(stop, spliced) - begin);
    return shardSecondsOf({ samples: stop - begin, spliced: ofSplices }, { ...time, flops });
  });
  return {
    samples,
    shards: ranges.length,
    shardSamples: each,
    sampleBytes: bytes.sample,
    shardBytes: bytes.sample * each + bytes.vectors,
    tokenBytes: samples * recordBytesFor(dataset.seqLen, (dataset.roles ?? []).length > 0),
    rate,
    readRate: reading?.bytesPerSecond ?? null,
    shardSeconds: (seconds.reduce((sum, one) => sum + one, 0) * each) / samples,
    longestSeconds: Math.max(...seconds),
  };
}
