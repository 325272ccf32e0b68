/** Upkeep of a store: soon after its last write, and not too late while writes go on. */

/** Milliseconds without a write. */
const afterWrite = 2000;
/** Milliseconds since the first write, at most. */
const atLatest = 60_000;

export class Upkeep {
  #timer: NodeJS.Timeout | null = null;
  #first = 0;
  #last = 0;

  constructor(private readonly work: () => void) {}

  /** Call after a write. */
  due(): void {
    this.#last = performance.now();
    if (this.#timer !== null) return;
    this.#first = this.#last;
    this.#wait(afterWrite);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wait(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      const now = performance.now();
      const left = Math.min(this.#last + afterWrite, this.#first + atLatest) - now;
      if (left > 0) return this.#wait(left);
      this.#timer = null;
      this.work();
    }, milliseconds);
    this.#timer.unref();
  }
}
