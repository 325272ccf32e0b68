/**
 * The blocks of a model whose weights do not fit together: one is there at a time, built anew of
 * the files whenever its turn comes, while the files of the next are read.
 */
import type { Block } from './blocks.js';
import { joined, readAhead } from './read-ahead.js';
import type { BuiltOf, FileRange, Weights } from './weights.js';

/** The blocks of a model by number, from 1. */
export interface Blocks {
  /** Number of blocks. */
  readonly count: number;
  /** Whether each is brought in when its turn comes. */
  readonly areStreamed: boolean;
  /** A block; one that is streamed replaces the one before. */
  at(i: number): Block;
  /** Waits until a block is there, and begins to read `next`; null if there is none. */
  bring(i: number, next: number | null): Promise<void>;
  dispose(): void;
}

/** Blocks that are all there. */
export class ResidentBlocks implements Blocks {
  readonly areStreamed = false;

  constructor(private readonly blocks: readonly Block[]) {}

  get count(): number {
    return this.blocks.length;
  }

  at(i: number): Block {
    return this.blocks[i - 1]!;
  }

  async bring(): Promise<void> {}

  dispose(): void {}
}

export class StreamedBlocks implements Blocks {
  readonly areStreamed = true;
  readonly count: number;
  readonly #build: (i: number) => Block;
  readonly #weights: Weights;
  readonly #ranges: readonly (readonly FileRange[])[];
  #there: { i: number; block: Block; of: BuiltOf } | null = null;
  #ahead: { i: number; done: Promise<void>; stop: AbortController } | null = null;

  /**
   * Checks names and shapes of all blocks.
   * @param build makes block i, from 0, of weights.
   */
  constructor(count: number, build: (i: number) => Block, weights: Weights) {
    this.count = count;
    this.#build = build;
    this.#weights = weights;
    this.#ranges = Array.from({ length: count }, (_, i) =>
      joined(weights.rehearse(() => build(i))),
    );
  }

  at(i: number): Block {
    if (this.#there?.i === i) return this.#there.block;
    this.#letGo();
    const { value: block, of } = this.#weights.building(() => this.#build(i - 1));
    this.#there = { i, block, of };
    return block;
  }

  async bring(i: number, next: number | null): Promise<void> {
    if (this.#ahead?.i === i) await this.#ahead.done;
    this.at(i);
    if (next === null || next === i || next === this.#ahead?.i) return;
    this.#ahead?.stop.abort();
    const stop = new AbortController();
    const ranges = this.#ranges[next - 1]!;
    this.#ahead = { i: next, done: readAhead(ranges, stop.signal), stop };
  }

  #letGo(): void {
    this.#there?.of.letGo();
    this.#there = null;
  }

  dispose(): void {
    this.#ahead?.stop.abort();
    this.#ahead = null;
    this.#letGo();
  }
}
