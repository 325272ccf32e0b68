/** Removes ended evaluations that are older, or more, than the server is to keep. */
import type { FastifyBaseLogger } from 'fastify';
import { setImmediate } from 'node:timers/promises';
import type { JobQueue } from './queue.js';
import type { Store } from './store.js';

export interface RetentionOptions {
  store: Store;
  queue: JobQueue;
  /** Days that an evaluation is kept after its end; undefined: for ever. */
  keepDays?: number | undefined;
  /** Ended evaluations that are kept, the newest ones; undefined: all. */
  keepEvaluations?: number | undefined;
  log: FastifyBaseLogger;
}

const day = 24 * 3600_000;
const betweenSweeps = 3600_000;
/** Ids that are looked up at once. */
const atOnce = 100;
/** Difference of the clocks, in milliseconds, above which the date is not believed at first. */
const jump = 3600_000;
/** Fact of the store: the last date that was believed. */
const lastDate = 'last-date';

export class Retention {
  readonly #timer: NodeJS.Timeout | undefined;
  #sweep: Promise<void> | null = null;
  #isDue = false;
  #isStopping = false;
  /** Wall time minus monotonic time as it was, and the monotonic time since it has been so. */
  #clock = { difference: Date.now() - performance.now(), since: -Infinity };
  #hasStarted = false;

  constructor(private readonly options: RetentionOptions) {
    const { keepDays, keepEvaluations } = options;
    if (keepDays === undefined && keepEvaluations === undefined) return;
    this.#timer = setInterval(() => this.sweep(), betweenSweeps).unref();
    this.sweep();
  }

  /** Call when an evaluation has ended. */
  ended(): void {
    if (this.options.keepEvaluations !== undefined) this.sweep();
  }

  /** Removes what is to be removed, one evaluation after the other. */
  sweep(): void {
    this.#isDue = true;
    this.#sweep ??= this.#work()
      .catch((error: unknown) => {
        this.options.log.warn({ err: error }, 'old evaluations could not be removed');
      })
      .finally(() => (this.#sweep = null));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    await this.#sweep;
  }

  async #work(): Promise<void> {
    const { store, queue, keepDays, keepEvaluations, log } = this.options;
    let removed = 0;
    while (this.#isDue && !this.#isStopping) {
      this.#isDue = false;
      // After the calls that are under way.
      await setImmediate();
      const before =
        keepDays === undefined || !this.#dateIsBelieved()
          ? null
          : new Date(Date.now() - keepDays * day).toISOString();
      if (before !== null) store.setFact(lastDate, new Date().toISOString());
      const ids = store.evaluations.toRemove({
        before,
        keep: keepEvaluations ?? null,
        most: atOnce,
      });
      for (const id of ids) {
        if (this.#isStopping) break;
        queue.remove(id);
        removed += 1;
        await setImmediate();
      }
      if (ids.length === atOnce) this.#isDue = true;
    }
    if (removed > 0) log.info({ removed }, 'old evaluations were removed');
  }

  /** A clock that jumps must not remove everything: what it says counts after a day. */
  #dateIsBelieved(): boolean {
    const difference = Date.now() - performance.now();
    const hasJumped = this.#hasStarted
      ? Math.abs(difference - this.#clock.difference) > jump
      : this.#jumpedBeforeStart();
    this.#hasStarted = true;
    if (hasJumped) {
      this.options.log.warn(
        'the clock has jumped, or the server was off for long; no evaluation is removed by age ' +
          'for a day',
      );
      this.#clock = { difference, since: performance.now() };
    }
    return performance.now() - this.#clock.since > day;
  }

  /** A machine may start with a wrong clock: no date is believed far beyond the last one. */
  #jumpedBeforeStart(): boolean {
    const { store } = this.options;
    const last = Date.parse(store.fact(lastDate) ?? store.evaluations.newestEnd() ?? '');
    // Without any there is nothing to remove.
    return Date.now() - last > day;
  }
}
