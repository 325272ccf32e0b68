/** Cost of reading weights that do not fit into memory. */
import type { ResolvedRequest } from '../../../schema/index.js';
import { planRounds } from '../../engine/rounds.js';
import type { Strategy } from '../../engine/strategies/strategy.js';
import { superBatches } from '../../engine/super-batch.js';
import { zeroLanes } from '../../engine/zero-ablation.js';
import type { Decisions } from '../journal.js';
import type { Residency } from '../residency.js';

/** The reading of weights that do not fit into memory. */
export interface Streaming {
  /** Bytes of all weights, and of the memory that they do not fit in. */
  weightBytes: number;
  memoryBytes: number;
  /** Sequences that go through a block before the next block is brought in. */
  sequences: number;
  /** Times that they go through all blocks. */
  rounds: number;
  /** Bytes that are brought in for them. */
  bytes: number;
  /** Number of times that this happens in the run; null if nobody knows how many samples it has. */
  times: number | null;
}

/** Null if the weights fit. */
export function streamingOf(
  { dataset: { maxSamples }, batchSize }: ResolvedRequest,
  {
    residency,
    decisions: { superBatch, microBatch },
    strategies,
  }: { residency: Residency | null; decisions: Decisions; strategies: readonly Strategy[] },
): Streaming | null {
  if (residency === null || superBatch === undefined) return null;
  const sources = { strategies, zeros: zeroLanes(strategies) };
  const rounds = planRounds(sources, { most: microBatch.lanes }).length;
  const { sequences } = microBatch;
  const { bytes, endBytes } = residency.size;
  return {
    weightBytes: bytes,
    memoryBytes: residency.memoryBytes ?? 0,
    sequences: Math.min(superBatch * sequences, maxSamples ?? Infinity),
    rounds,
    bytes: rounds * (bytes - endBytes),
    times:
      maxSamples === undefined
        ? null
        : superBatches(maxSamples, { batchSize, sequences, superBatch }),
  };
}
