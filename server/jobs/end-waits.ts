/** Calls that wait for the end of an evaluation. */
export class EndWaits {
  readonly #waiting = new Map<string, Set<() => void>>();

  /**
   * Resolves when the evaluation ends, the time is over or the signal aborts.
   * @param hasEnded is asked once the wait is known to {@link ended}.
   */
  async wait(
    id: string,
    {
      milliseconds,
      signal,
      hasEnded,
    }: { milliseconds: number; signal: AbortSignal; hasEnded: () => boolean },
  ): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (hasEnded()) done();
    });
  }

  ended(id: string): void {
    for (const done of [...(this.#waiting.get(id) ?? [])]) done();
  }

  /** Resolves all waits. */
  stop(): void {
    for (const id of [...this.#waiting.keys()]) this.ended(id);
  }
}
