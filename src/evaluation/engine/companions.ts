/**
 * Companions compute micro-batches of a run at the same time as its own thread. Each of them, and
 * the run's thread, takes the next micro-batch that nobody has taken.
 */
import type { Sample } from '../../data/index.js';
import type { MicroBatch } from './micro-batch.js';
import type { MicroBatchSums } from './micro-batch-sums.js';
import type { Wanted } from './strategies/strategy.js';

/** Whether the sums of a micro-batch can be handed over by another thread. */
export function canHandOver({ contexts, peers = [] }: Wanted): boolean {
  return contexts === undefined && peers.length === 0;
}

/** A micro-batch that waits for somebody. */
export interface OfferedMicroBatch {
  samples: readonly Sample[];
  /** Whether its samples are spliced, not only measured. */
  isSpliced: boolean;
}

/** Micro-batches that several threads take, by their place. */
export class MicroBatchQueue {
  readonly #next: Int32Array;

  /** @param next number of micro-batches that were taken, in memory that threads share. */
  constructor(
    readonly length: number,
    readonly next = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
  ) {
    this.#next = new Int32Array(next);
  }

  /** The place of a micro-batch that is now the caller's; null if all were taken. */
  take(): number | null {
    const place = Atomics.add(this.#next, 0, 1);
    return place < this.length ? place : null;
  }

  /** Lets nobody take another one. */
  close(): void {
    Atomics.store(this.#next, 0, this.length);
  }
}

export interface Offer {
  queue: MicroBatchQueue;
  microBatches: readonly OfferedMicroBatch[];
  /** How much is computed at once. */
  microBatch: MicroBatch;
  /** A companion has computed a micro-batch. */
  onSums: (place: number, sums: MicroBatchSums) => void;
}

export interface Companions {
  /** Most companions that there can be. */
  readonly most: number;
  /** Brings them, if they are not there yet. They join the offer that is open when they come. */
  call(): void;
  /**
   * Offers micro-batches. What a companion took and did not compute, because it failed, is left to
   * the caller.
   * @returns ends the offer: resolves once no companion is at it any more.
   */
  offer(offer: Offer): () => Promise<void>;
  close(): void;
}
