/** Batches in micro-batches, and the batches whose micro-batches go through a block together. */
import type { Sample } from '../../data/index.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import type { HostVectors } from './micro-batch-sums.js';
import type { BatchTokens } from './peers/batch-tokens.js';
import type { VectorSums } from './vectors.js';

/** The sums of the micro-batches of a batch that are done. */
export interface BatchSums {
  samples: readonly Sample[];
  /** Index in the run of the first of them. */
  first: number;
  accumulator: Accumulator;
  vectors: VectorSums;
  /** Vectors of micro-batches that several threads compute, instead of `vectors`. */
  hostVectors: HostVectors;
  /** Tokens that wait for the mean of the batch. */
  tokens: BatchTokens;
  /** Samples that are done. */
  done: number;
}

/** A micro-batch that is next. */
export interface Slice {
  of: BatchSums;
  samples: readonly Sample[];
  isLast: boolean;
  /** Whether its samples are spliced, not only measured. */
  isSpliced: boolean;
}

export interface Amounts {
  /** Sequences of a micro-batch. */
  sequences: number;
  /** Whether a micro-batch has as many more as its tokens allow, since padding is not computed. */
  isUnpadded: boolean;
  /** Micro-batches that go through a block together. */
  superBatch: number;
  /** Samples of the run that are spliced, the first ones. */
  spliced: number;
}

/**
 * The ends of the micro-batches of a batch. They follow from the batch alone, so that a micro-batch
 * that was cut does not move those after it.
 */
export function microBatchEnds(
  samples: readonly Sample[],
  { sequences, isUnpadded }: Pick<Amounts, 'sequences' | 'isUnpadded'>,
): number[] {
  const ends: number[] = [];
  const most = sequences * (samples[0]?.ids.length ?? 0);
  let tokens = 0;
  let count = 0;
  for (const [n, { length }] of samples.entries()) {
    if (isUnpadded ? tokens + length > most : count === sequences) {
      ends.push(n);
      tokens = 0;
      count = 0;
    }
    tokens += length;
    count += 1;
  }
  if (samples.length > 0) ends.push(samples.length);
  return ends;
}

/**
 * The next micro-batches, as many as go through a block together. None straddles the border between
 * samples that are spliced and others.
 */
export function nextSlices(
  batches: readonly BatchSums[],
  { superBatch, spliced, ...amounts }: Amounts,
): Slice[] {
  const slices: Slice[] = [];
  for (const of of batches) {
    const { samples, done, first } = of;
    const ends = microBatchEnds(samples, amounts);
    for (let from = done; from < samples.length;) {
      if (slices.length === superBatch) return slices;
      const isSpliced = first + from < spliced;
      const within = Math.min(samples.length, isSpliced ? spliced - first : Infinity);
      const end = Math.min(
        within,
        ends.find((one) => one > from)!,
      );
      const isLast = end === samples.length;
      slices.push({ of, samples: samples.slice(from, end), isLast, isSpliced });
      from = end;
    }
  }
  return slices;
}

/** Batches that fill a super-batch together; one at a time if a batch is at least as large. */
export async function* together(
  batches: AsyncIterable<readonly Sample[]>,
  amounts: () => Amounts,
): AsyncGenerator<(readonly Sample[])[]> {
  let waiting: (readonly Sample[])[] = [];
  let microBatches = 0;
  for await (const batch of batches) {
    const { superBatch, ...sizes } = amounts();
    const own = microBatchEnds(batch, sizes).length;
    if (waiting.length > 0 && microBatches + own > superBatch) {
      yield waiting;
      waiting = [];
      microBatches = 0;
    }
    waiting.push(batch);
    microBatches += own;
    if (microBatches < superBatch) continue;
    yield waiting;
    waiting = [];
    microBatches = 0;
  }
  if (waiting.length > 0) yield waiting;
}
