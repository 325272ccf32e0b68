/** Places in the queue: how many evaluations may wait, of all clients and of one. */
import { SaeEvalError } from '../../src/errors.js';
import type { StoredJobs } from './stored-jobs.js';

export class QueuePlaces {
  /** By client, the evaluations that are being checked and will wait. */
  readonly #reserved = new Map<string, number>();

  constructor(
    private readonly jobs: StoredJobs,
    private readonly limits: { maxQueued: number; maxQueuedPerClient: number },
  ) {}

  /**
   * Reserves a place while an evaluation is checked. The returned function gives it back.
   * @throws SaeEvalError `queue-full`.
   */
  reserve(client: string): () => void {
    const { maxQueued, maxQueuedPerClient } = this.limits;
    const own = this.#reserved.get(client) ?? 0;
    const all = [...this.#reserved.values()].reduce((sum, count) => sum + count, 0);
    if (this.jobs.countQueued() + all >= maxQueued)
      throw new SaeEvalError(
        'queue-full',
        `${maxQueued} evaluations are waiting, the server's limit; try again when some have run.`,
      );
    if (this.jobs.countQueued(client) + own >= maxQueuedPerClient)
      throw new SaeEvalError(
        'queue-full',
        `${maxQueuedPerClient} of your evaluations are waiting, the limit for one client; try ` +
          'again when some have run.',
      );
    this.#reserved.set(client, own + 1);
    return () => {
      const left = (this.#reserved.get(client) ?? 1) - 1;
      if (left > 0) this.#reserved.set(client, left);
      else this.#reserved.delete(client);
    };
  }
}
