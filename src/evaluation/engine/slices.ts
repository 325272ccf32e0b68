/** Batches in micro-batches, and the batches whose micro-batches go through a block together. */
import type { Sample } from '../../data/index.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import type { VectorSums } from './vectors.js';

/** The sums of the micro-batches of a batch that are done. */
export interface BatchSums {
  samples: readonly Sample[];
  accumulator: Accumulator;
  vectors: VectorSums;
  /** Samples that are done. */
  done: number;
}

/** A micro-batch that is next. */
export interface Slice {
  of: BatchSums;
  samples: readonly Sample[];
  isLast: boolean;
}

export interface Amounts {
  /** Sequences of a micro-batch. */
  sequences: number;
  /** Micro-batches that go through a block together. */
  superBatch: number;
}

/** The next micro-batches, as many as go through a block together. */
export function nextSlices(
  batches: readonly BatchSums[],
  { sequences, superBatch }: Amounts,
): Slice[] {
  const slices: Slice[] = [];
  for (const of of batches) {
    const { samples, done } = of;
    for (let from = done; from < samples.length;) {
      if (slices.length === superBatch) return slices;
      const end = Math.min(samples.length, from + sequences);
      slices.push({ of, samples: samples.slice(from, end), isLast: end === samples.length });
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
    const { sequences, superBatch } = amounts();
    const own = Math.ceil(batch.length / sequences);
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
