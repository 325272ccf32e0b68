/** Samples that wait for their batch, in order. Taking all of them costs as much as adding them. */
import type { Sample } from './assembly.js';

export class WaitingSamples {
  #samples: Sample[] = [];
  /** Number of the first of them that were taken. */
  #taken = 0;

  get length(): number {
    return this.#samples.length - this.#taken;
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  /** The first of them, at most `count`. */
  take(count: number): Sample[] {
    const batch = this.#samples.slice(this.#taken, this.#taken + count);
    this.#taken += batch.length;
    // Samples that were taken are let go of before they are as many as those that wait, and not at
    // each batch: a record of a whole library has hundreds of thousands.
    if (2 * this.#taken >= this.#samples.length) {
      this.#samples = this.#samples.slice(this.#taken);
      this.#taken = 0;
    }
    return batch;
  }
}
