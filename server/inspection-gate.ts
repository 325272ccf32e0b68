/** Lets a few inspections run at a time; the others wait their turn, and beyond a limit are refused. */
import { SaeEvalError } from '../src/errors.js';

export class InspectionGate {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly limits: { atOnce: number; waiting: number }) {}

  /** @throws SaeEvalError `unavailable` when too many wait. */
  async through<T>(body: () => Promise<T>): Promise<T> {
    if (this.#running >= this.limits.atOnce) {
      if (this.#waiting.length >= this.limits.waiting) throw new SaeEvalError('unavailable', 'Too many files are being inspected; try again in a moment.');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await body();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
