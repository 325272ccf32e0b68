/**
 * Limits how many inspections run at once. Others wait their turn; beyond a second limit they are
 * refused. No inspection outlives the server.
 */
import { SaeEvalError } from '../src/errors.js';

export class InspectionGate {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #closed = new AbortController();

  constructor(private readonly limits: { atOnce: number; waiting: number }) {}

  /** @throws SaeEvalError `unavailable` if too many wait, or if the gate is closed meanwhile. */
  async through<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#running >= this.limits.atOnce) {
      if (this.#waiting.length >= this.limits.waiting)
        throw new SaeEvalError(
          'unavailable',
          'Too many files are being inspected; try again in a moment.',
        );
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      this.#refuseWhenClosed();
      return await body(this.#closed.signal);
    } catch (thrown) {
      this.#refuseWhenClosed();
      throw thrown;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** Aborts running inspections, so that stopping the server does not wait for a file. */
  close(): void {
    this.#closed.abort();
  }

  #refuseWhenClosed(): void {
    if (this.#closed.signal.aborted)
      throw new SaeEvalError('unavailable', 'The server is stopping.');
  }
}
