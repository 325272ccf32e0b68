/**
 * The amount that is computed at once. It bounds memory and decides the last bits of results, so it
 * is decided once for a run and kept with it; it only changes if memory runs out all the same.
 */
export interface MicroBatch {
  /** Sequences of full length that go through the model together, or shorter ones instead. */
  sequences: number;
  /** Lanes that go through a block, or the head, in one call. */
  lanesPerCall: number;
  /** Logits held at a time: of the lanes of one call, over a range of the vocabulary. */
  logits: number;
  /** Lanes that are alive at the same time; all of them if it is left out. */
  lanes?: number | undefined;
}

/** Constants of a kind of device: bounds above, or below, which nothing is gained. */
export interface DeviceConstants {
  /** Bytes of the working set: at most, and where memory allows it at least. */
  mostWorkingSet: number;
  leastWorkingSet: number;
  /** Tokens above which a micro-batch only costs memory. */
  mostTokens: number;
  /** Whether a micro-batch is so small that all of its lanes go through a block in one call. */
  lanesTogether: boolean;
  /** Rows above which a matmul of a block gains nothing from more. */
  enoughRows: number;
  /** Tokens of the vocabulary above which a matmul of the head gains nothing from more. */
  enoughColumns: number;
  /**
   * Whether the logits of a narrow model are compared over shorter ranges, so that they are still
   * in the cache.
   */
  fitsCache: boolean;
  /** Bytes that one logit of a lane takes while it is compared. */
  bytesPerLogit: number;
  /** Temporaries of a block for a row, in residual streams. */
  blockTemporaries: number;
}

/** Measured on CPUs with AVX2, AVX-512 and AMX (bench.mjs, sections `shipped` and `large`). */
const cpu: DeviceConstants = {
  mostWorkingSet: 2 ** 30,
  leastWorkingSet: 2 ** 26,
  mostTokens: 1024,
  lanesTogether: false,
  enoughRows: 4096,
  enoughColumns: 1024,
  fitsCache: true,
  bytesPerLogit: 0,
  blockTemporaries: 0,
};

/**
 * Few large operators: on a GPU a launch, by its makers' figures some 5 µs, costs as much as a
 * GFLOP. Estimates, not measured; the composite comparison of logits holds five float32 copies.
 */
const cuda: DeviceConstants = {
  mostWorkingSet: 2 ** 35,
  leastWorkingSet: 0,
  mostTokens: 2 ** 15,
  lanesTogether: true,
  enoughRows: 2 ** 16,
  enoughColumns: 2 ** 15,
  fitsCache: false,
  bytesPerLogit: 24,
  blockTemporaries: 16,
};

export function constantsOf(device: string): DeviceConstants {
  return device === 'cpu' ? cpu : cuda;
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
  /** Bytes the working set may take; default the most that the device gains from. */
  budget?: number;
  /** Default those of a CPU. */
  constants?: DeviceConstants;
}

/**
 * Bytes that a working set may take: a quarter of the free memory, since the weights need room too.
 * A power of two, so that the same machine decides alike whatever else it does, unless memory is
 * really short.
 */
export function workingSetFor(
  freeBytes: number | null,
  { mostWorkingSet, leastWorkingSet }: DeviceConstants = cpu,
): number {
  if (freeBytes === null) return mostWorkingSet;
  return Math.min(
    mostWorkingSet,
    Math.max(leastWorkingSet, 2 ** Math.floor(Math.log2(Math.max(1, freeBytes / 4)))),
  );
}

export function chooseMicroBatch({
  seqLen,
  batchSize,
  width,
  latents,
  kept,
  lanes,
  bytes,
  constants = cpu,
  budget = constants.mostWorkingSet,
}: MicroBatchInput): MicroBatch {
  const { mostTokens, enoughRows, enoughColumns, fitsCache } = constants;
  // The residual streams of the sites, normalised and side by side; dense latents four times over.
  const perToken = width * kept * (bytes.model + 2 * bytes.sae) + 4 * latents * bytes.sae;
  // A lane before and after a block.
  const perLane = 2 * width * bytes.model;
  const perRow = constants.blockTemporaries * width * bytes.model;
  const tokens = Math.floor(budget / (perToken + lanes * perLane + perRow));
  const mostRows =
    perRow === 0 ? enoughRows : Math.min(enoughRows, Math.floor(budget / 4 / perRow));
  const worth = constants.lanesTogether ? Math.min(mostTokens, mostRows / (1 + lanes)) : mostTokens;
  const sequences = Math.max(
    1,
    Math.min(Math.floor(tokens / seqLen), Math.ceil(worth / seqLen), batchSize),
  );
  const rows = sequences * seqLen;
  const together = Math.floor((budget - rows * (perToken + perRow)) / (rows * perLane));
  const lanesPerCall = Math.max(1, Math.floor(mostRows / rows));
  const logits = lanesPerCall * rows * (fitsCache ? Math.min(width, enoughColumns) : enoughColumns);
  const { bytesPerLogit } = constants;
  return {
    sequences,
    lanesPerCall,
    logits: bytesPerLogit === 0 ? logits : Math.min(logits, Math.ceil(budget / bytesPerLogit)),
    ...(together >= lanes ? {} : { lanes: Math.max(1, together) }),
  };
}

/** The step by which the logits shrink: each try computes a part of a micro-batch again. */
const fewerLogits = 4;

/**
 * The next size to try if memory ran out: half of the sequences, then half of the lanes that are
 * alive together, then fewer logits; null if one sequence by one lane by one token of the
 * vocabulary is left.
 * @param options.lanes lanes of a micro-batch in all.
 * @param options.seqLen positions of a sequence.
 */
export function smallerMicroBatch(
  { sequences, lanesPerCall, logits, lanes }: MicroBatch,
  { lanes: all, seqLen }: { lanes: number; seqLen: number },
): MicroBatch | null {
  const half = (count: number): number => Math.max(1, Math.floor(count / 2));
  const rest = lanes === undefined ? {} : { lanes };
  if (sequences > 1)
    return { sequences: half(sequences), lanesPerCall, logits: half(logits), ...rest };
  const alive = Math.min(lanes ?? all, all);
  if (alive > 1) {
    const fewer = half(alive);
    const perCall = Math.min(lanesPerCall, alive);
    const share = Math.min(perCall, fewer) / perCall;
    return {
      sequences,
      lanesPerCall: Math.min(perCall, fewer),
      logits: Math.max(1, Math.floor(logits * share)),
      lanes: fewer,
    };
  }
  if (logits <= seqLen) return null;
  const fewer = Math.max(seqLen, Math.floor(logits / fewerLogits));
  return { sequences, lanesPerCall, logits: fewer, ...rest };
}
