/**
 * The number of micro-batches that go through a block before the next block is brought in. It
 * decides how often weights are read, and no bit.
 */
import type { MicroBatch } from './micro-batch.js';

/**
 * Tokens of all lanes from which computing hides the reading of a block. An estimate, not measured:
 * a GPU that multiplies 400 TFLOP/s behind a disk of 7 GB/s needs 57,000.
 */
const enoughTokens = 2 ** 17;

export interface SuperBatchInput {
  microBatch: MicroBatch;
  seqLen: number;
  width: number;
  /** Residual streams that are kept of the clean pass. */
  kept: number;
  /** Lanes of a micro-batch. */
  lanes: number;
  /** Rounds through the blocks: in several, residual streams are kept from one to the next. */
  rounds: number;
  /** Bytes of one number of the language model, and of the SAEs. */
  bytes: { model: number; sae: number };
  /** Bytes that all micro-batches may hold between two blocks. */
  budget: number;
  batchSize: number;
}

export function chooseSuperBatch({
  microBatch,
  seqLen,
  width,
  kept,
  lanes,
  rounds,
  bytes,
  budget,
  batchSize,
}: SuperBatchInput): number {
  const alive = Math.min(lanes, microBatch.lanes ?? lanes);
  const rows = microBatch.sequences * seqLen;
  // The clean stream and the lanes; masks and the columns that wait for their sums.
  const moving = (1 + alive) * width * bytes.model + 64 * (1 + lanes);
  // Residual streams as they are, normalized and side by side; what later edits of lanes read.
  const waiting =
    rounds === 1 ? 0 : width * (kept * (bytes.model + 2 * bytes.sae) + alive * bytes.sae);
  const most = Math.min(
    Math.floor(Math.max(0, budget) / (rows * (moving + waiting))),
    Math.ceil(enoughTokens / (rows * (1 + alive))),
  );
  // Batches go through blocks together as a whole.
  const inBatch = Math.ceil(batchSize / microBatch.sequences);
  return Math.max(1, most < inBatch ? most : most - (most % inBatch));
}

/** Number of times that every block is brought in for a number of samples. */
export function superBatches(
  samples: number,
  {
    batchSize,
    sequences,
    superBatch,
  }: { batchSize: number; sequences: number; superBatch: number },
): number {
  const inBatch = Math.ceil(batchSize / sequences);
  if (superBatch >= inBatch)
    return Math.ceil(Math.ceil(samples / batchSize) / Math.floor(superBatch / inBatch));
  const last = Math.ceil((samples % batchSize) / sequences);
  return (
    Math.floor(samples / batchSize) * Math.ceil(inBatch / superBatch) + Math.ceil(last / superBatch)
  );
}
