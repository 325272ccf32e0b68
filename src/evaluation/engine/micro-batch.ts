/**
 * How much is computed at once. Bounds memory; says nothing about results, but for their last bits, so it is decided once
 * for a run and kept with it.
 */
export interface MicroBatch {
  /** Sequences that go through the model together. */
  sequences: number;
  /** Lanes that go through a block in one call. */
  lanesPerCall: number;
  /** Logits held at a time: of the rows of a micro-batch, over a range of the vocabulary. */
  logits: number;
}

export interface MicroBatchInput {
  seqLen: number;
  batchSize: number;
  width: number;
  vocabulary: number;
  /** Widest dictionary. */
  latents: number;
  /** Residual streams that are kept of the clean pass. */
  kept: number;
  /** Lanes of a micro-batch. */
  lanes: number;
  /** Bytes the working set may take. */
  budget?: number;
}

const float = 4;

/** Tokens above which a micro-batch only costs memory: the lanes multiply them. */
const mostTokens = 2048;

/** Rows above which a matmul gains nothing from more. */
const enoughRows = 4096;

export function chooseMicroBatch({ seqLen, batchSize, width, vocabulary, latents, kept, lanes, budget = 768 * 2 ** 20 }: MicroBatchInput): MicroBatch {
  // Kept residuals with their normalised copies, lanes before and after a block, dense latents three times over.
  const perToken = float * (width * (3 * kept + 3 * lanes + 16) + 3 * latents);
  const tokens = Math.max(seqLen, Math.floor(budget / perToken));
  const sequences = Math.max(1, Math.min(Math.floor(tokens / seqLen), Math.ceil(mostTokens / seqLen), batchSize));
  return {
    sequences,
    lanesPerCall: Math.max(1, Math.floor(enoughRows / (sequences * seqLen))),
    // A range of the vocabulary as wide as the residual stream: a matmul gains nothing from more, and it stays in the cache.
    logits: sequences * seqLen * Math.min(width, vocabulary),
  };
}
