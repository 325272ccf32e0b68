/** Turns of the event loop between parts of a long computation, so that it can be cancelled. */

/** Waits for a turn. @throws the reason if it was cancelled. */
export type Turn = () => Promise<void>;

export const turnOf =
  (signal: AbortSignal | undefined): Turn =>
  async () => {
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  };
