/**
 * The amount that is computed at once. It bounds memory and decides the last bits of results, so it
 * is decided once for a run and kept with it.
 */
export interface MicroBatch {
  /** Sequences that go through the model together. */
  sequences: number;
  /** Lanes that go through a block, or the head, in one call. */
  lanesPerCall: number;
  /** Logits held at a time: of the lanes of one call, over a range of the vocabulary. */
  logits: number;
}

export interface MicroBatchInput {
  seqLen: number;
  batchSize: number;
  width: number;
  /** Widest dictionary. */
  latents: number;
  /** Residual streams that are kept of the clean pass. */
  kept: number;
  /** Lanes of a micro-batch. */
  lanes: number;
  /** Bytes of one number of the language model, and of the SAEs. */
  bytes: { model: number; sae: number };
  /** Bytes the working set may take; default {@link mostWorkingSet}. */
  budget?: number;
}

/** Bytes above which a working set gains nothing. */
const mostWorkingSet = 2 ** 30;

/** Bytes below which it costs too much time. */
const leastWorkingSet = 2 ** 26;

/**
 * Bytes that a working set may take: a quarter of the free memory, since the weights need room too.
 * A power of two, so that the same machine decides alike whatever else it does, unless memory is
 * really short.
 */
export function workingSetFor(freeBytes: number | null): number {
  if (freeBytes === null) return mostWorkingSet;
  return Math.min(
    mostWorkingSet,
    Math.max(leastWorkingSet, 2 ** Math.floor(Math.log2(Math.max(1, freeBytes / 4)))),
  );
}

/** Tokens above which a micro-batch only costs memory: the lanes multiply them. */
const mostTokens = 1024;

/** Rows above which a matmul of a block gains nothing from more. */
const enoughRows = 4096;

/** Tokens of the vocabulary above which a matmul of the head gains nothing from more. */
const enoughColumns = 1024;

export function chooseMicroBatch({
  seqLen,
  batchSize,
  width,
  latents,
  kept,
  lanes,
  bytes,
  budget = mostWorkingSet,
}: MicroBatchInput): MicroBatch {
  // The residual streams of the sites, normalised and side by side; lanes before and after a block;
  // dense latents four times over.
  const perToken =
    width * (kept * (bytes.model + 2 * bytes.sae) + 2 * lanes * bytes.model) +
    4 * latents * bytes.sae;
  const tokens = Math.max(seqLen, Math.floor(budget / perToken));
  const sequences = Math.max(
    1,
    Math.min(Math.floor(tokens / seqLen), Math.ceil(mostTokens / seqLen), batchSize),
  );
  const lanesPerCall = Math.max(1, Math.floor(enoughRows / (sequences * seqLen)));
  return {
    sequences,
    lanesPerCall,
    // For a narrow model fewer: its logits are compared while they are in the cache.
    logits: lanesPerCall * sequences * seqLen * Math.min(width, enoughColumns),
  };
}
