/** The queue: accepts evaluations, gives them to workers in fair order, and informs watchers. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { systemMemory, type DeviceMemory } from '../../src/evaluation/run/device-memory.js';
import type { WeightMode } from '../../src/compute/fork-child.js';
import { ComputeProcess } from '../../src/compute/host.js';
import type { LifeLimits } from '../../src/compute/signs-of-life.js';
import {
  hasEnded,
  type EvaluationRecord,
  type EvaluationStatus,
  type EvaluationSummary,
  type Progress,
} from '../../src/schema/record.js';
import type { EventHub } from './events.js';
import { fairOrder } from './fair-order.js';
import { ownerOnlyFolder } from './owner-only.js';
import { killOrphan, processIdentity } from './process-identity.js';
import type { NewEvaluation, Store } from './store.js';
import { isStoreFault, StoreHealth } from './store-health.js';
import { takenBy, waitingFor, waitingForWorker } from './waiting-for.js';
import type { SharedRun } from './shared-run.js';
import { Sharing } from './sharing.js';
import { DeviceWorker, type CancelOptions, type WorkerHost } from './worker.js';

export interface QueueOptions {
  /** Folder of the journals. */
  journals: string;
  maxQueued: number;
  maxQueuedPerClient: number;
  /** Seconds an evaluation may compute; 0: no limit. */
  jobTimeout: number;
  /** Bytes of models and SAEs that a compute process keeps loaded. */
  cacheBytes: number;
  /** Niceness of compute processes, 0…19. */
  computeNice: number;
  /** How weights come into memory. */
  weights: WeightMode;
  /** Folder of runs in shards. */
  runs: string;
  shardSamples?: number | undefined;
  saesPerShard?: number | undefined;
  /** When a compute process that is stopped or hangs is replaced. */
  limits: LifeLimits;
  log: FastifyBaseLogger;
  /** Called when an evaluation ends. */
  onEnd?: (record: EvaluationRecord) => void;
}

/** Workers of other processes, which compute evaluations for this server. */
export interface RemoteWorkers {
  /** Kinds of devices that live workers have. */
  families(): readonly string[];
  /** Why they cannot be reached; null if they can. */
  readonly problem: string | null;
  wake(): void;
  cancel(id: string, options: CancelOptions): boolean;
  /** Removes what it keeps of an evaluation that was removed. */
  forget(id: string): Promise<void>;
  stop(): Promise<void>;
}

/** Ids that a device may take, the next one first, and the position of each from 1. */
interface Order {
  ids: string[];
  positions: ReadonlyMap<string, number>;
}

const betweenProgressWrites = 1000;
/** Milliseconds. Batches may be much shorter, and each event goes to every watcher. */
const betweenProgressEvents = 500;

export class JobQueue {
  readonly workers = new Map<string, DeviceWorker>();
  readonly health: StoreHealth;
  /** By client, the number of its last serving; the clock may jump. */
  readonly #lastServed = new Map<string, number>();
  #servings = 0;
  readonly #ends = new Map<string, Set<() => void>>();
  readonly #progressWritten = new Map<string, number>();
  readonly #progressTold = new Map<string, number>();
  readonly #reserved = new Map<string, number>();
  readonly #live = new Map<string, Progress>();
  /** Evaluations that a worker has, whether its process has started them or not. */
  readonly #taken = new Set<string>();
  #orders = new Map<string, Order>();
  #stopping = false;
  #remote: RemoteWorkers | null = null;
  #sharing: Sharing | null = null;

  constructor(
    private readonly store: Store,
    readonly hub: EventHub,
    private readonly options: QueueOptions,
  ) {
    ownerOnlyFolder(options.journals);
    this.health = new StoreHealth(store, options.log, () => this.#wakeAll());
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * Requeues the evaluations that an earlier server left running, then starts a worker for each
   * device.
   * @param compute the process of the first device.
   * @param kinds kind of each device, in whatever words.
   */
  start(
    devices: readonly string[],
    { compute, kinds = new Map() }: { compute?: ComputeProcess; kinds?: Map<string, string> } = {},
  ): void {
    this.#continue();
    const journalOf = (id: string): string => this.#journalOf(id);
    const sumsOf = (id: string): string => this.store.sumsOf(id);
    const { runs, shardSamples, saesPerShard, computeNice } = this.options;
    const sharing = (this.#sharing = new Sharing({
      runs,
      shardSamples,
      saesPerShard,
      niceness: computeNice,
      journalOf,
      sumsOf,
      kinds,
      isPresent: (device) => this.workers.get(device)?.isGone === false,
      wake: () => this.#wakeAll(),
    }));
    for (const [index, device] of devices.entries()) {
      const { cacheBytes, computeNice: niceness, weights, limits } = this.options;
      const options = {
        device,
        compute:
          index === 0 && compute !== undefined
            ? compute
            : new ComputeProcess({ cacheBytes, niceness, weights, limits }),
        journalOf,
        sumsOf,
        sharing,
        jobTimeout: this.options.jobTimeout,
        cacheBytes: this.options.cacheBytes,
        computeNice,
        weights: this.options.weights,
      };
      this.workers.set(device, new DeviceWorker(this.#workerHost(), options));
    }
    for (const [device, waiting] of this.store.countQueuedByDevice())
      if (this.#takersOf(device).length === 0)
        this.options.log.warn({ device, waiting }, 'evaluations wait for a device that is gone');
    this.#wakeAll();
  }

  /** Requeues what was running, then gives evaluations to workers of other processes. */
  startRemote(make: (host: WorkerHost) => RemoteWorkers): void {
    this.#continue();
    this.#remote = make(this.#workerHost());
  }

  /** Requeues the evaluations that an earlier server left running. */
  #continue(): void {
    for (const { client } of this.store.lastStarts())
      this.#lastServed.set(client, ++this.#servings);
    for (const { id, process } of this.store.leftRunning()) {
      killOrphan(process);
      this.health.write(() => this.store.requeue(id));
    }
    this.#sweepJournals();
  }

  /** Removes the journals of evaluations that have ended or were removed. */
  #sweepJournals(): void {
    try {
      for (const name of readdirSync(this.options.journals)) {
        const [, id] = /^([\w-]+)\.journal(\.part)?$/.exec(name) ?? [];
        const status = id === undefined ? undefined : this.store.status(id);
        if (status === null || (status !== undefined && hasEnded(status)))
          rmSync(join(this.options.journals, name), { force: true });
      }
      this.store.sweepSums();
    } catch (error) {
      this.options.log.warn({ err: error }, 'what earlier evaluations left could not be removed');
    }
  }

  /** The devices that may take what asks for a device or a kind. */
  #takersOf(asked: string): string[] {
    return [...this.workers.keys()].filter((device) => takenBy(device).includes(asked));
  }

  #wakeAll(): void {
    for (const worker of this.workers.values()) worker.wake();
    this.#remote?.wake();
  }

  /**
   * Reserves a place in the queue while an evaluation is checked. The returned function gives the
   * place back.
   *
   * @throws SaeEvalError `queue-full`, `unavailable`.
   */
  reserve(client: string): () => void {
    if (this.#stopping)
      throw new SaeEvalError('unavailable', 'The server is stopping and takes no new evaluations.');
    const { maxQueued, maxQueuedPerClient } = this.options;
    const own = this.#reserved.get(client) ?? 0;
    const all = [...this.#reserved.values()].reduce((sum, count) => sum + count, 0);
    if (this.store.countQueued() + all >= maxQueued)
      throw new SaeEvalError(
        'queue-full',
        `${maxQueued} evaluations are waiting, the server's limit; try again when some have run.`,
      );
    if (this.store.countQueued(client) + own >= maxQueuedPerClient)
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

  /**
   * Stores an evaluation and wakes the workers that may take it, or finds the evaluation of a
   * known idempotency key.
   */
  submit(evaluation: NewEvaluation): { id: string; bodyHash: string | null; isNew: boolean } {
    if (this.#stopping)
      throw new SaeEvalError('unavailable', 'The server is stopping and takes no new evaluations.');
    const stored = this.health.write(() => this.store.insert(evaluation));
    if (stored.isNew) {
      this.#orders.clear();
      for (const device of this.#takersOf(evaluation.device)) this.workers.get(device)!.wake();
      this.#remote?.wake();
    }
    return stored;
  }

  /** Fills in the current progress, the position and what is waited for. */
  withPresent<T extends EvaluationSummary>(summary: T): T {
    if (summary.status === 'queued') {
      const { id, device } = summary;
      if (this.#remote !== null) {
        if (!this.#remote.families().includes(device))
          return { ...summary, waitingFor: waitingForWorker(device) };
        return { ...summary, position: this.#taken.has(id) ? 1 : this.#position(id, [device]) };
      }
      const present = [...this.workers].flatMap(([name, { isGone }]) => (isGone ? [] : [name]));
      // Before the devices are known nothing is said of them.
      const takers =
        present.length === 0 ? [device] : present.filter((name) => takenBy(name).includes(device));
      if (takers.length === 0) return { ...summary, waitingFor: waitingFor(device, present) };
      return { ...summary, position: this.#taken.has(id) ? 1 : this.#position(id, takers) };
    }
    if (summary.status === 'running')
      return { ...summary, progress: this.#live.get(summary.id) ?? summary.progress };
    return summary;
  }

  /** Cancels a waiting or running evaluation. */
  cancel(id: string, options: CancelOptions = {}): void {
    const status = this.store.status(id);
    if (status === null || hasEnded(status)) return;
    for (const worker of this.workers.values()) if (worker.cancel(id, options)) return;
    if (this.#remote?.cancel(id, options) === true) return;
    // No worker has a running one if an earlier server left it so and this one is not ready yet.
    const reason =
      options.because ??
      new SaeEvalError(
        'cancelled',
        status === 'queued'
          ? 'The evaluation was cancelled before it started.'
          : 'The evaluation was cancelled while no compute process ran it.',
      );
    this.#ended(id, 'cancelled', { error: reason.toJSON() });
    this.#removeJournal(id);
  }

  #removeJournal(id: string): void {
    try {
      for (const ending of ['', '.part'])
        rmSync(`${this.#journalOf(id)}${ending}`, { force: true });
      this.#sharing?.forget(id);
    } catch (error) {
      this.options.log.warn({ err: error, id }, 'a journal could not be removed');
    }
  }

  /** Removes an ended evaluation with everything that is kept of it. */
  remove(id: string): void {
    this.health.write(() => this.store.remove(id));
    this.#removeJournal(id);
    this.#remote?.forget(id).catch((error: unknown) => {
      this.options.log.warn({ err: error, id }, 'the folder of a run could not be removed');
    });
  }

  /** A run whose shards several devices of this server compute. */
  sharedRun(id: string): SharedRun | null {
    return this.#sharing?.get(id) ?? null;
  }

  #journalOf(id: string): string {
    return join(this.options.journals, `${id}.journal`);
  }

  /** Resolves when the evaluation ends, the time is over, the signal aborts or the server stops. */
  async waitForEnd(id: string, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#stopping) return;
    await new Promise<void>((resolve) => {
      const waiting = this.#ends.get(id) ?? new Set();
      this.#ends.set(id, waiting);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0 && this.#ends.get(id) === waiting) this.#ends.delete(id);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
      const status = this.store.status(id);
      if (status === null || hasEnded(status)) done();
    });
  }

  /** Why no compute process answers; null if one does. */
  get problem(): string | null {
    if (this.#remote !== null) return this.#remote.problem;
    const workers = [...this.workers.values()];
    if (workers.some(({ compute }) => compute.answers)) return null;
    return (
      workers.find(({ problem }) => problem !== null)?.problem ??
      'No compute process answers yet; one is starting.'
    );
  }

  /** Number of waiting evaluations that a device may take. */
  queuedOn(device: string): number {
    const counts = this.store.countQueuedByDevice();
    return takenBy(device).reduce((sum, asked) => sum + (counts.get(asked) ?? 0), 0);
  }

  /**
   * Number of waiting evaluations by what they ask for; 0 of what somebody could ask for and nobody
   * does.
   */
  queuedByDevice(): Map<string, number> {
    const none = [...this.workers.keys()].flatMap(takenBy).map((asked) => [asked, 0] as const);
    return new Map([...none, ...this.store.countQueuedByDevice()]);
  }

  /**
   * Free and total memory of a device. Values of a GPU are those of its compute process's last
   * message; null if they are unknown.
   */
  memoryOn(device: string): DeviceMemory | null {
    return device === 'cpu'
      ? systemMemory()
      : (this.workers.get(device)?.compute.usage?.device ?? null);
  }

  /** Samples per second of the evaluation that runs on a device; 0 if none runs. */
  speedOn(device: string): number {
    const id = this.workers.get(device)?.running ?? null;
    return id === null ? 0 : (this.#live.get(id)?.samplesPerSecond ?? 0);
  }

  /** Takes no new evaluations; stops the running ones and keeps them for the next start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const waiting of [...this.#ends.values()]) for (const done of [...waiting]) done();
    await this.#remote?.stop();
    await Promise.all([...this.workers.values()].map((worker) => worker.stop()));
  }

  /** The best place of an evaluation among those that wait for each of these devices. */
  #position(id: string, devices: readonly string[]): number | null {
    const places = devices.flatMap((device) => this.#order(device).positions.get(id) ?? []);
    return places.length === 0 ? null : Math.min(...places);
  }

  #order(device: string): Order {
    let order = this.#orders.get(device);
    if (order === undefined) {
      const waiting = this.store.queued(takenBy(device)).filter(({ id }) => !this.#taken.has(id));
      const ids = fairOrder(waiting, this.#lastServed);
      this.#orders.set(
        device,
        (order = { ids, positions: new Map(ids.map((id, index) => [id, index + 1])) }),
      );
    }
    return order;
  }

  #workerHost(): WorkerHost {
    return {
      take: (device) => {
        for (;;) {
          const id = this.#stopping
            ? undefined
            : this.health.read(() => this.#order(device).ids[0]);
          if (id === undefined) return null;
          try {
            const job = this.health.read(() => this.store.job(id));
            if (job === null) return null;
            this.#taken.add(id);
            this.#lastServed.set(job.client, ++this.#servings);
            this.#orders.clear();
            return job;
          } catch (thrown) {
            const error = asSaeEvalError(thrown, 'The store');
            if (error.code !== 'storage-damaged') throw error;
            // It holds up nobody.
            this.#ended(id, 'failed', { error: error.toJSON() });
          }
        }
      },
      hasWaiting: (device) => {
        try {
          return this.#order(device).ids.length > 0;
        } catch (error) {
          if (isStoreFault(error)) return false;
          throw error;
        }
      },
      started: ({ id }) => {
        const progress = this.store.summary(id)?.progress ?? null;
        this.health.write(() => this.store.start(id));
        this.#orders.clear();
        this.hub.progress(id, 'running', progress);
      },
      pid: (id, pid) => this.store.setProcess(id, pid === null ? null : processIdentity(pid)),
      progress: (id, progress) => {
        this.#live.set(id, progress);
        const now = performance.now();
        if (now - (this.#progressTold.get(id) ?? -Infinity) >= betweenProgressEvents) {
          this.#progressTold.set(id, now);
          this.hub.progress(id, 'running', progress);
        }
        if (now - (this.#progressWritten.get(id) ?? -Infinity) < betweenProgressWrites) return;
        this.#progressWritten.set(id, now);
        try {
          this.health.write(() => this.store.setProgress(id, progress));
        } catch (error) {
          if (isStoreFault(error)) return;
          this.options.log.warn({ err: error, id }, 'progress could not be stored');
        }
      },
      results: (id, results) => this.hub.results(id, results),
      requeued: (id) => {
        const progress = this.#live.get(id);
        if (progress !== undefined) this.store.setProgress(id, progress);
        this.store.requeue(id);
        this.#taken.delete(id);
        this.#orders.clear();
        if (this.#stopping) return;
        this.hub.progress(id, 'queued', progress ?? null);
        this.#wakeAll();
      },
      ended: (id, status, outcome) => this.#ended(id, status, outcome),
      log: (message, details) => this.options.log.warn(details, message),
      fault: (message, details) => this.options.log.error(details, message),
    };
  }

  #ended(id: string, status: EvaluationStatus, outcome: Parameters<Store['finish']>[2]): void {
    const progress = this.#live.get(id);
    this.health.write(() => {
      if (progress !== undefined)
        this.store.setProgress(id, {
          ...progress,
          secondsLeft: status === 'cancelled' || status === 'failed' ? null : 0,
        });
      this.store.finish(id, status, outcome);
    });
    this.#live.delete(id);
    this.#taken.delete(id);
    this.#progressWritten.delete(id);
    this.#progressTold.delete(id);
    this.#orders.clear();
    for (const done of [...(this.#ends.get(id) ?? [])]) done();
    this.options.log.info({ id, status, error: outcome.error?.code }, 'evaluation ended');
    let summary: EvaluationSummary | null;
    try {
      summary = this.store.summary(id);
    } catch (error) {
      if (isStoreFault(error)) throw error;
      this.options.log.error({ err: error, id }, 'the record of an ended evaluation is damaged');
      return;
    }
    if (summary === null) return;
    const record = { ...summary, result: outcome.result ?? null };
    this.hub.end(record);
    this.options.onEnd?.(record);
  }
}
