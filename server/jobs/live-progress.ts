/**
 * Progress of the evaluations that run. The newest is in memory; watchers and the store get it
 * from time to time, since batches may be short.
 */
import type { Progress } from '../../src/schema/record.js';

/** Milliseconds. */
const betweenWrites = 1000;
/** Milliseconds. Each event goes to every watcher. */
const betweenEvents = 500;

interface Live {
  progress: Progress;
  written: number;
  told: number;
}

export class LiveProgress {
  readonly #live = new Map<string, Live>();

  constructor(
    private readonly to: {
      tell: (id: string, progress: Progress) => void;
      write: (id: string, progress: Progress) => void;
    },
  ) {}

  get(id: string): Progress | null {
    return this.#live.get(id)?.progress ?? null;
  }

  set(id: string, progress: Progress): void {
    const live = this.#live.get(id) ?? { progress, written: -Infinity, told: -Infinity };
    this.#live.set(id, live);
    live.progress = progress;
    const now = performance.now();
    if (now - live.told >= betweenEvents) {
      live.told = now;
      this.to.tell(id, progress);
    }
    if (now - live.written >= betweenWrites) {
      live.written = now;
      this.to.write(id, progress);
    }
  }

  delete(id: string): void {
    this.#live.delete(id);
  }
}
