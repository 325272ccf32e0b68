/**
 * The sums of one micro-batch as plain numbers, which threads can hand over. Threads compute
 * micro-batches in any order; their sums are added in the order of the text, by the same additions
 * as in one thread, so that the bits do not depend on who computed what.
 */
import { type Accumulator } from '../../metrics/accumulator.js';

export interface MicroBatchSums {
  /** One value for each sequence, by column. */
  readonly columns: ReadonlyMap<string, Float64Array>;
  readonly vectors: ReadonlyMap<string, Float64Array>;
}

/** Vectors of the micro-batches of a batch, added up one after the other. */
export class HostVectors {
  readonly #sums = new Map<string, Float64Array>();

  /** Adds vectors, which it takes over. */
  add(vectors: MicroBatchSums['vectors']): void {
    for (const [key, values] of vectors) {
      const sum = this.#sums.get(key);
      if (sum === undefined) this.#sums.set(key, values);
      else for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!;
    }
  }

  /** Moves the sums to an accumulator. */
  moveTo(accumulator: Accumulator): void {
    for (const [key, sum] of this.#sums) accumulator.add(key, sum);
    this.#sums.clear();
  }
}
