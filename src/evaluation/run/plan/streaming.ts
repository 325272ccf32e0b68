/** Cost of reading weights that do not fit into memory. */
import type { ResolvedRequest } from '../../../schema/index.js';
import { planRounds } from '../../engine/rounds.js';
import { measuredDepth, type Strategy } from '../../engine/strategies/strategy.js';
import { blocksBrought } from '../../engine/super-batch.js';
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
  /** Most bytes that are brought in for the first samples of a run, or of a shard. */
  bytesFor(samples: number, spliced?: number): number;
}

/** Null if the weights fit. */
export function streamingOf(
  { dataset: { maxSamples }, batchSize, spliceSamples = Infinity }: ResolvedRequest,
  {
    residency,
    decisions: { superBatch, microBatch },
    strategies,
    layers,
  }: {
    residency: Residency | null;
    decisions: Decisions;
    strategies: readonly Strategy[];
    /** Number of blocks of the model. */
    layers: number;
  },
): Streaming | null {
  if (residency === null || superBatch === undefined) return null;
  const sources = { strategies, zeros: zeroLanes(strategies) };
  const rounds = planRounds(sources, { most: microBatch.lanes }).length;
  const { sequences } = microBatch;
  const { bytes, endBytes } = residency.size;
  const blocks = { spliced: rounds * layers, measured: measuredDepth(strategies) };
  const sizes = { batchSize, sequences, superBatch };
  return {
    weightBytes: bytes,
    memoryBytes: residency.memoryBytes ?? 0,
    sequences: Math.min(superBatch * sequences, maxSamples),
    rounds,
    bytes: rounds * (bytes - endBytes),
    bytesFor: (samples, spliced = spliceSamples) =>
      (blocksBrought(samples, { ...sizes, spliced, blocks }) * (bytes - endBytes)) / layers,
  };
}
