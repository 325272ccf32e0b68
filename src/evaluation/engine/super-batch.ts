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

/** Most times that every block is brought in for a number of samples. */
export function superBatches(
  samples: number,
  {
    batchSize,
    sequences,
    superBatch,
  }: { batchSize: number; sequences: number; superBatch: number },
): number {
  const inBatch = Math.ceil(batchSize / sequences);
  const whole = Math.floor(samples / batchSize);
  const last = Math.ceil((samples % batchSize) / sequences);
  if (superBatch < inBatch)
    return whole * Math.ceil(inBatch / superBatch) + Math.ceil(last / superBatch);
  const together = Math.floor(superBatch / inBatch);
  // The last batch joins those before it if there is room.
  const before = whole === 0 ? superBatch : (whole % together || together) * inBatch;
  return Math.ceil(whole / together) + (last > 0 && before + last > superBatch ? 1 : 0);
}

export interface BroughtInput {
  batchSize: number;
  sequences: number;
  superBatch: number;
  /** Number of samples that are spliced, the first ones. */
  spliced: number;
  /** Blocks that samples bring in that are spliced, in all rounds, and those that are not. */
  blocks: { spliced: number; measured: number };
}

/**
 * Most blocks that are brought in for the first samples of a run: as many if each text fills its
 * sequence.
 */
export function blocksBrought(
  samples: number,
  { spliced, blocks, ...sizes }: BroughtInput,
): number {
  const all = superBatches(samples, sizes);
  const first = superBatches(Math.min(samples, spliced), sizes);
  return first * blocks.spliced + (all - first) * blocks.measured;
}
