/**
 * Block by block: everything that travels through the model goes through a block before any of it
 * goes through the next, so that the weights of a block are needed once for all of them.
 */
import type { LanguageModel } from '../../lm/index.js';
import { HeldScope } from '../../torch/scope.js';
import { SweepPace } from './sweep-pace.js';

/** Something that goes through all blocks, once or several times. */
export interface Traveler {
  /** Times that it goes through the blocks. */
  readonly rounds: number;
  /** Blocks that it goes through, from the first on. */
  readonly depth: number;
  /** Sequences of it that go through block i in a round: of its clean stream and its lanes. */
  streams(round: number, i: number): number;
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

  streams(round: number, i: number): number {
    return this.#traveler.streams(round, i);
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
  /** Gets to know how long blocks take. */
  pace?: SweepPace;
  /** Part of the way that is done, after each block. It does not fall. */
  onBlock?: (part: number) => void;
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise(setImmediate);
  signal?.throwIfAborted();
}

/** Streams of all travelers through every block of every round, in the order of the way. */
function streamsOn(travelers: readonly Traveler[], rounds: number): number[] {
  return Array.from({ length: rounds }, (_, round) => {
    const present = travelers.filter((one) => round < one.rounds);
    return Array.from({ length: deepest(present) }, (__, n) =>
      present.reduce((sum, one) => sum + (n + 1 > one.depth ? 0 : one.streams(round, n + 1)), 0),
    );
  }).flat();
}

/**
 * Takes travelers through blocks that are brought in one after the other. Gives the event loop a
 * turn after each step; ends there when aborted.
 */
export async function sweepBlocks(
  model: LanguageModel,
  travelers: readonly Traveler[],
  { signal, continues = false, pace = new SweepPace(), onBlock }: SweepOptions = {},
): Promise<void> {
  const rounds = Math.max(0, ...travelers.map((one) => one.rounds));
  const streams = streamsOn(travelers, rounds);
  let done = 0;
  let told = 0;
  for (let round = 0; round < rounds; round++) {
    const present = travelers.filter((one) => round < one.rounds);
    const layers = deepest(present);
    for (const one of present) one.begin(round);
    for (let i = 1; i <= layers; i++) {
      const again = continues || round + 1 < rounds ? 1 : null;
      const asked = performance.now();
      await model.bring(i, i < layers ? i + 1 : again);
      const began = performance.now();
      for (const one of present) {
        if (i > one.depth) continue;
        one.step(i);
        await turn(signal);
      }
      pace.add({
        waited: (began - asked) / 1000,
        computed: (performance.now() - began) / 1000,
        streams: streams[done]!,
      });
      done += 1;
      told = Math.max(told, pace.part(streams, done));
      onBlock?.(told);
    }
    for (const one of present) {
      one.end();
      await turn(signal);
    }
  }
}
