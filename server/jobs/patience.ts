/** Rests between tries, and the repetition of what a store refuses for a while. */
import { setTimeout } from 'node:timers/promises';
import { isStoreFault } from './store-health.js';

/** First and longest time between two tries of a store that fails, in milliseconds. */
const firstRest = 1000;
export const longestRest = 30_000;

/** Waits, but no longer than until one of the signals aborts. */
export async function pause(milliseconds: number, ...signals: AbortSignal[]): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal: AbortSignal.any(signals) }).catch(() => {});
}

export class Patience {
  /** Ends a rest early. */
  #resting: AbortController | null = null;

  /** @param stop aborts when nothing is to be repeated any more. */
  constructor(private readonly stop: AbortSignal) {}

  /**
   * Repeats a read or write of the store until the disk lets it, so that no result is lost and
   * work goes on when a fault has passed.
   */
  async untilStored<T>(action: () => T): Promise<T> {
    for (let rest = firstRest; ; rest = Math.min(2 * rest, longestRest)) {
      try {
        return action();
      } catch (thrown) {
        if (this.stop.aborted || !isStoreFault(thrown)) throw thrown;
        await this.rest(rest);
      }
    }
  }

  /** Waits, but no longer than until it is woken or all stops. */
  async rest(milliseconds: number): Promise<void> {
    this.#resting = new AbortController();
    await pause(milliseconds, this.#resting.signal, this.stop);
    this.#resting = null;
  }

  wake(): void {
    this.#resting?.abort();
  }
}
