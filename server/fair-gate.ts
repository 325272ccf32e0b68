/**
 * Limits how much work runs at once: inspections of files, renderings of reports. Clients take
 * turns, and none takes every place, so that nobody waits behind somebody else's hundred. Who has
 * left waits no longer. No work outlives the server.
 */
import { SaeEvalError } from '../src/errors.js';
import { refuseIfGone } from './presence.js';

export interface FairGateLimits {
  atOnce: number;
  /** Most of one client at once; fewer than `atOnce`, so that a place is left. */
  atOncePerClient: number;
  waiting: number;
  waitingPerClient: number;
  /** Message of the error if too many wait. */
  full: string;
}

export interface Turn {
  /** Name of the caller. */
  client: string;
  /** Aborts if the caller has left. */
  signal?: AbortSignal;
}

interface Waiting {
  start(): void;
}

export class FairGate {
  readonly #running = new Map<string, number>();
  /** Clients in the order of their turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #closed = new AbortController();

  constructor(private readonly limits: FairGateLimits) {}

  /**
   * Does `body` when it is the client's turn.
   * @param body takes a signal that aborts if the caller leaves or the server stops.
   * @throws SaeEvalError `unavailable` if too many wait, or if the gate is closed meanwhile;
   *   `cancelled` if the caller has left.
   */
  async through<T>(
    { client, signal }: Turn,
    body: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const closed = this.#closed.signal;
    const ends = signal === undefined ? closed : AbortSignal.any([closed, signal]);
    this.#refuseIfOver(signal);
    if (this.#hasPlaceFor(client)) this.#count(client, 1);
    else await this.#wait(client, ends);
    try {
      this.#refuseIfOver(signal);
      return await body(ends);
    } catch (thrown) {
      this.#refuseIfOver(signal);
      throw thrown;
    } finally {
      this.#count(client, -1);
      this.#startNext();
    }
  }

  /** Aborts what runs, so that stopping the server does not wait for a file. */
  close(): void {
    this.#closed.abort();
  }

  #hasPlaceFor(client: string): boolean {
    const all = [...this.#running.values()].reduce((sum, count) => sum + count, 0);
    return (
      all < this.limits.atOnce && (this.#running.get(client) ?? 0) < this.limits.atOncePerClient
    );
  }

  #count(client: string, change: 1 | -1): void {
    const count = (this.#running.get(client) ?? 0) + change;
    if (count === 0) this.#running.delete(client);
    else this.#running.set(client, count);
  }

  /** Waits for the client's turn, which counts as running when this resolves. */
  async #wait(client: string, ends: AbortSignal): Promise<void> {
    const { waiting, waitingPerClient, full } = this.limits;
    const own = this.#waiting.get(client) ?? [];
    const all = [...this.#waiting.values()].reduce((sum, { length }) => sum + length, 0);
    if (all >= waiting || own.length >= waitingPerClient)
      throw new SaeEvalError('unavailable', full);
    await new Promise<void>((resolve) => {
      const entry: Waiting = {
        start: () => {
          ends.removeEventListener('abort', leave);
          this.#leave(client, entry);
          this.#count(client, 1);
          resolve();
        },
      };
      // It starts at once, to be refused: whoever waits behind it is not held up.
      const leave = (): void => entry.start();
      ends.addEventListener('abort', leave, { once: true });
      this.#waiting.set(client, [...own, entry]);
    });
  }

  #leave(client: string, entry: Waiting): void {
    const rest = (this.#waiting.get(client) ?? []).filter((one) => one !== entry);
    // The next turn of this client comes after those of all others.
    this.#waiting.delete(client);
    if (rest.length > 0) this.#waiting.set(client, rest);
  }

  #startNext(): void {
    for (const [client, entries] of this.#waiting)
      if (this.#hasPlaceFor(client)) {
        entries[0]!.start();
        return;
      }
  }

  #refuseIfOver(signal: AbortSignal | undefined): void {
    if (this.#closed.signal.aborted)
      throw new SaeEvalError('unavailable', 'The server is stopping.');
    if (signal !== undefined) refuseIfGone(signal);
  }
}
