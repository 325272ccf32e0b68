/**
 * The blocks of a model whose weights do not fit together: one is there at a time, built anew of
 * the files whenever its turn comes, while the files of the next are read. Blocks that other
 * devices hold are copied from there.
 */
import type { Block } from './blocks.js';
import { bytesIn, joined, ReadAhead, type FileRange } from './read-ahead.js';
import { WeightDevices } from './weight-devices.js';
import type { Weights } from './weights.js';

/** The blocks of a model by number, from 1. */
export interface Blocks {
  /** Number of blocks. */
  readonly count: number;
  /** Whether each is brought in when its turn comes. */
  readonly areStreamed: boolean;
  /** Number of blocks that other devices hold, by device. */
  readonly held: ReadonlyMap<string, number>;
  /** A block; one that is streamed replaces the one before. */
  at(i: number): Block;
  /** Waits until a block is there, and begins to read `next`; null if there is none. */
  bring(i: number, next: number | null): Promise<void>;
  dispose(): void;
}

/** Blocks that are all there. */
export class ResidentBlocks implements Blocks {
  readonly areStreamed = false;
  readonly held: ReadonlyMap<string, number> = new Map();

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
  readonly held: ReadonlyMap<string, number>;
  readonly #build: (i: number) => Block;
  readonly #weights: Weights;
  readonly #ranges: readonly (readonly FileRange[])[];
  readonly #ahead: ReadAhead;
  #there: { i: number; block: Block; letGo: () => void } | null = null;
  #next: { i: number; isRead: Promise<void> } | null = null;

  /**
   * Checks names and shapes of all blocks.
   * @param build makes block i, from 0, of weights.
   * @param weightDevices names of other devices that may hold blocks.
   */
  constructor(
    count: number,
    build: (i: number) => Block,
    { weights, weightDevices = [] }: { weights: Weights; weightDevices?: readonly string[] },
  ) {
    this.count = count;
    this.#build = build;
    this.#weights = weights;
    const others = new WeightDevices(weights, weightDevices);
    this.#ranges = Array.from({ length: count }, (_, i) => {
      const { ranges, opened } = weights.rehearse(() => build(i));
      // A block that another device holds is not read again.
      return others.take(opened) ? [] : joined(ranges);
    });
    this.held = others.held;
    this.#ahead = new ReadAhead(Math.max(0, ...this.#ranges.map(bytesIn)));
  }

  at(i: number): Block {
    if (this.#there?.i === i) return this.#there.block;
    this.#letGo();
    const { value: block, letGo } = this.#weights.building(
      () => this.#build(i - 1),
      (range, before) => this.#ahead.bytesOf(range, before),
    );
    this.#there = { i, block, letGo };
    return block;
  }

  async bring(i: number, next: number | null): Promise<void> {
    if (this.#there?.i !== i) {
      if (this.#next?.i !== i) this.#read(i);
      await this.#next!.isRead;
      this.at(i);
    }
    if (next !== null && next !== i && next !== this.#next?.i) this.#read(next);
  }

  #read(i: number): void {
    this.#next = { i, isRead: this.#ahead.fill(this.#ranges[i - 1]!) };
  }

  #letGo(): void {
    this.#there?.letGo();
    this.#there = null;
  }

  dispose(): void {
    this.#next = null;
    this.#ahead.dispose();
    this.#letGo();
  }
}
