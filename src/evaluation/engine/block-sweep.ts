/**
 * Block by block: everything that travels through the model goes through a block before any of it
 * goes through the next, so that the weights of a block are needed once for all of them.
 */
import type { LanguageModel } from '../../lm/index.js';
import { HeldScope } from '../../torch/scope.js';

/** Something that goes through all blocks, once or several times. */
export interface Traveler {
  /** Times that it goes through the blocks. */
  readonly rounds: number;
  /** Blocks that it goes through, from the first on. */
  readonly depth: number;
  /** Before the first block of a round, the first of which is 0. */
  begin(round: number): void;
  /** Block i. */
  step(i: number): void;
  /** After the last block of a round. */
  end(): void;
}

/** A traveler whose tensors live from step to step, until it is disposed of. */
export class HeldTraveler implements Traveler {
  readonly #scope = new HeldScope();
  readonly #traveler: Traveler;

  constructor(make: () => Traveler) {
    try {
      this.#traveler = this.#scope.run(make);
    } catch (thrown) {
      this.#scope.dispose();
      throw thrown;
    }
  }

  get rounds(): number {
    return this.#traveler.rounds;
  }

  get depth(): number {
    return this.#traveler.depth;
  }

  begin(round: number): void {
    this.#scope.run(() => this.#traveler.begin(round));
  }

  step(i: number): void {
    this.#scope.run(() => this.#traveler.step(i));
  }

  end(): void {
    this.#scope.run(() => this.#traveler.end());
  }

  dispose(): void {
    this.#scope.dispose();
  }
}

/** Blocks that some of the travelers go through. */
const deepest = (travelers: readonly Traveler[]): number =>
  Math.max(0, ...travelers.map(({ depth }) => depth));

/** Takes travelers through blocks that are all there. */
export function goThrough(travelers: readonly Traveler[]): void {
  const rounds = Math.max(0, ...travelers.map((one) => one.rounds));
  for (let round = 0; round < rounds; round++) {
    const present = travelers.filter((one) => round < one.rounds);
    for (const one of present) one.begin(round);
    for (let i = 1; i <= deepest(present); i++)
      for (const one of present) if (i <= one.depth) one.step(i);
    for (const one of present) one.end();
  }
}

export interface SweepOptions {
  signal?: AbortSignal | undefined;
  /** Whether another sweep is sure to follow, so that its first block may be read ahead. */
  continues?: boolean;
  /** Part of the way that is done, after each block. */
  onBlock?: (part: number) => void;
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise(setImmediate);
  signal?.throwIfAborted();
}

/**
 * Takes travelers through blocks that are brought in one after the other. Gives the event loop a
 * turn after each step; ends there when aborted.
 */
export async function sweepBlocks(
  model: LanguageModel,
  travelers: readonly Traveler[],
  { signal, continues = false, onBlock }: SweepOptions = {},
): Promise<void> {
  const rounds = Math.max(0, ...travelers.map((one) => one.rounds));
  for (let round = 0; round < rounds; round++) {
    const present = travelers.filter((one) => round < one.rounds);
    const layers = deepest(present);
    for (const one of present) one.begin(round);
    for (let i = 1; i <= layers; i++) {
      const again = continues || round + 1 < rounds ? 1 : null;
      await model.bring(i, i < layers ? i + 1 : again);
      for (const one of present) {
        if (i > one.depth) continue;
        one.step(i);
        await turn(signal);
      }
      onBlock?.((round * layers + i) / (rounds * layers));
    }
    for (const one of present) {
      one.end();
      await turn(signal);
    }
  }
}
