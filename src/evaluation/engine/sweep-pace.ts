/**
 * The pace of a sweep: seconds that it waits for a block, and seconds that a stream takes through
 * one. Rounds differ: in one only the clean streams go through the blocks, in another all lanes.
 */
export class SweepPace {
  #blocks = 0;
  #waited = 0;
  #streams = 0;
  #computed = 0;

  /** Number of blocks that were brought in. */
  get blocks(): number {
    return this.#blocks;
  }

  /** Seconds that were spent on waiting for them. */
  get waited(): number {
    return this.#waited;
  }

  /** A block was brought in, and a number of streams went through it. */
  add({ waited, computed, streams }: { waited: number; computed: number; streams: number }): void {
    this.#blocks += 1;
    this.#waited += waited;
    this.#computed += computed;
    this.#streams += streams;
  }

  /**
   * Part of the way that is done, from 0 to 1.
   * @param streams those that go through each block on the way.
   * @param done number of blocks that are behind them; at least one was {@link add}ed before.
   */
  part(streams: readonly number[], done: number): number {
    const each = this.#streams === 0 ? 0 : this.#computed / this.#streams;
    const seconds = (blocks: readonly number[]): number =>
      blocks.reduce((sum, count) => sum + this.#waited / this.#blocks + count * each, 0);
    const all = seconds(streams);
    return all === 0 ? done / streams.length : seconds(streams.slice(0, done)) / all;
  }
}
