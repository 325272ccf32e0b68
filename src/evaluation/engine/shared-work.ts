/** The run's own thread shares micro-batches with its companions (companions.ts). */
import { MicroBatchQueue, type Companions, type OfferedMicroBatch } from './companions.js';
import type { MicroBatchSums } from './micro-batch-sums.js';
import type { MicroBatch } from './micro-batch.js';

/**
 * Seconds of work in a batch for which companions are called, or seconds that a run has computed by
 * itself: they take about one to come.
 */
const worthCompanions = 2;

export interface ShareOptions {
  microBatches: readonly OfferedMicroBatch[];
  /** How much is computed at once. */
  microBatch: MicroBatch;
  compute: (place: number) => MicroBatchSums;
  /** Adds the sums of a micro-batch: called in their order. */
  onSums: (place: number, sums: MicroBatchSums) => void;
  signal?: AbortSignal | undefined;
  /** Nobody takes another micro-batch after that. */
  stop?: AbortSignal | undefined;
}

export class SharedWork {
  #secondsAlone = 0;

  constructor(private readonly companions: Companions) {}

  /** Computes micro-batches together with the companions: all, unless stopped or aborted. */
  async share(options: ShareOptions): Promise<void> {
    const { microBatches, microBatch, onSums, signal, stop } = options;
    const queue = new MicroBatchQueue(microBatches.length);
    const waiting = new Map<number, MicroBatchSums>();
    let added = 0;
    const addInOrder = (place: number, sums: MicroBatchSums): void => {
      waiting.set(place, sums);
      for (let next; (next = waiting.get(added)) !== undefined; added++) {
        waiting.delete(added);
        onSums(added, next);
      }
    };
    const compute = (place: number): void => addInOrder(place, options.compute(place));
    const end = this.companions.offer({ queue, microBatches, microBatch, onSums: addInOrder });
    try {
      for (let place; (place = queue.take()) !== null;) {
        const began = performance.now();
        compute(place);
        this.#callIfWorth((performance.now() - began) / 1000, microBatches.length - place - 1);
        await new Promise(setImmediate);
        if (signal?.aborted === true || stop?.aborted === true) queue.close();
      }
    } finally {
      queue.close();
      await end();
    }
    signal?.throwIfAborted();
    // Companions that failed took these and did not compute them.
    while (stop?.aborted !== true && added < microBatches.length) compute(added);
  }

  #callIfWorth(seconds: number, left: number): void {
    this.#secondsAlone += seconds;
    if (Math.max(seconds * left, this.#secondsAlone) > worthCompanions) this.companions.call();
  }

  close(): void {
    this.companions.close();
  }
}
