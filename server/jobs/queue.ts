/** The queue: accepts evaluations, gives them to workers, tells watchers what becomes of them. */
import type { FastifyBaseLogger } from 'fastify';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { systemMemory, type DeviceMemory } from '../../src/evaluation/run/device-memory.js';
import type { WeightMode } from '../../src/compute/fork-child.js';
import { ComputeProcess } from '../../src/compute/host.js';
import type { LifeLimits } from '../../src/compute/signs-of-life.js';
import {
  hasEnded,
  type EvaluationRecord,
  type EvaluationSummary,
  type Progress,
} from '../../src/schema/record.js';
import type { EventHub } from './events.js';
import { EndWaits } from './end-waits.js';
import { JournalsFolder } from './journals-folder.js';
import { LiveProgress } from './live-progress.js';
import { killOrphan, processIdentity } from './process-identity.js';
import { QueuePlaces } from './queue-places.js';
import type { Store } from './store.js';
import type { NewEvaluation } from './stored-evaluations.js';
import { isStoreFault, StoreHealth } from './store-health.js';
import { takenBy, waitingFor, waitingForWorker } from './waiting-for.js';
import type { SharedRun } from './shared-run.js';
import { Sharing } from './sharing.js';
import { WaitingOrder } from './waiting-order.js';
import { DeviceWorker } from './worker.js';
import type { CancelOptions, Ending, WorkerHost } from './worker-host.js';

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

export class JobQueue {
  readonly workers = new Map<string, DeviceWorker>();
  readonly health: StoreHealth;
  readonly #journals: JournalsFolder;
  readonly #order: WaitingOrder;
  readonly #places: QueuePlaces;
  readonly #ends = new EndWaits();
  readonly #live: LiveProgress;
  #stopping = false;
  #remote: RemoteWorkers | null = null;
  #sharing: Sharing | null = null;

  constructor(
    private readonly store: Store,
    readonly hub: EventHub,
    private readonly options: QueueOptions,
  ) {
    this.#journals = new JournalsFolder(options.journals);
    this.health = new StoreHealth(store, options.log, () => this.#wakeAll());
    this.#order = new WaitingOrder(store.jobs);
    this.#places = new QueuePlaces(store.jobs, options);
    this.#live = new LiveProgress({
      tell: (id, progress) => hub.progress(id, 'running', progress),
      write: (id, progress) => this.#writeProgress(id, progress),
    });
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
    const journalOf = (id: string): string => this.#journals.pathOf(id);
    const sumsOf = (id: string): string => this.store.sums.pathOf(id);
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
      };
      this.workers.set(device, new DeviceWorker(this.#workerHost(), options));
    }
    for (const [device, waiting] of this.store.jobs.countQueuedByDevice())
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
    this.#order.restore();
    for (const { id, process } of this.store.jobs.leftRunning()) {
      killOrphan(process);
      this.health.write(() => this.store.jobs.requeue(id));
    }
    this.#sweepJournals();
  }

  /** Removes the journals of evaluations that have ended or were removed. */
  #sweepJournals(): void {
    try {
      this.#journals.sweep((id) => {
        const status = this.store.evaluations.status(id);
        return status !== null && !hasEnded(status);
      });
      this.store.evaluations.sweepSums();
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
    return this.#places.reserve(client);
  }

  /**
   * Stores an evaluation and wakes the workers that may take it, or finds the evaluation of a
   * known idempotency key.
   */
  submit(evaluation: NewEvaluation): { id: string; bodyHash: string | null; isNew: boolean } {
    if (this.#stopping)
      throw new SaeEvalError('unavailable', 'The server is stopping and takes no new evaluations.');
    const stored = this.health.write(() => this.store.evaluations.insert(evaluation));
    if (stored.isNew) {
      this.#order.changed();
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
        return { ...summary, position: this.#order.position(id, [device]) };
      }
      const present = [...this.workers].flatMap(([name, { isGone }]) => (isGone ? [] : [name]));
      // Before the devices are known nothing is said of them.
      const takers =
        present.length === 0 ? [device] : present.filter((name) => takenBy(name).includes(device));
      if (takers.length === 0) return { ...summary, waitingFor: waitingFor(device, present) };
      return { ...summary, position: this.#order.position(id, takers) };
    }
    if (summary.status === 'running')
      return { ...summary, progress: this.#live.get(summary.id) ?? summary.progress };
    return summary;
  }

  /** Cancels a waiting or running evaluation. */
  cancel(id: string, options: CancelOptions = {}): void {
    const status = this.store.evaluations.status(id);
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
    this.#ended(id, { status: 'cancelled', error: reason.toJSON() });
    this.#removeJournal(id);
  }

  #removeJournal(id: string): void {
    try {
      this.#journals.remove(id);
      this.#sharing?.forget(id);
    } catch (error) {
      this.options.log.warn({ err: error, id }, 'a journal could not be removed');
    }
  }

  /** Removes an ended evaluation with everything that is kept of it. */
  remove(id: string): void {
    this.health.write(() => this.store.evaluations.remove(id));
    this.#removeJournal(id);
    this.#remote?.forget(id).catch((error: unknown) => {
      this.options.log.warn({ err: error, id }, 'the folder of a run could not be removed');
    });
  }

  /** A run whose shards several devices of this server compute. */
  sharedRun(id: string): SharedRun | null {
    return this.#sharing?.get(id) ?? null;
  }

  /** Resolves when the evaluation ends, the time is over, the signal aborts or the server stops. */
  async waitForEnd(id: string, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#stopping) return;
    const hasItEnded = (): boolean => {
      const status = this.store.evaluations.status(id);
      return status === null || hasEnded(status);
    };
    await this.#ends.wait(id, { milliseconds, signal, hasEnded: hasItEnded });
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
    const counts = this.store.jobs.countQueuedByDevice();
    return takenBy(device).reduce((sum, asked) => sum + (counts.get(asked) ?? 0), 0);
  }

  /**
   * Number of waiting evaluations by what they ask for; 0 of what somebody could ask for and nobody
   * does.
   */
  queuedByDevice(): Map<string, number> {
    const none = [...this.workers.keys()].flatMap(takenBy).map((asked) => [asked, 0] as const);
    return new Map([...none, ...this.store.jobs.countQueuedByDevice()]);
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
    this.#ends.stop();
    await this.#remote?.stop();
    await Promise.all([...this.workers.values()].map((worker) => worker.stop()));
  }

  #workerHost(): WorkerHost {
    return {
      take: (device) => {
        for (;;) {
          const id = this.#stopping ? null : this.health.read(() => this.#order.next(device));
          if (id === null) return null;
          try {
            const job = this.health.read(() => this.store.jobs.job(id));
            if (job === null) return null;
            this.#order.take(job);
            return job;
          } catch (thrown) {
            const error = asSaeEvalError(thrown, 'The store');
            if (error.code !== 'storage-damaged') throw error;
            // It holds up nobody.
            this.#ended(id, { status: 'failed', error: error.toJSON() });
          }
        }
      },
      hasWaiting: (device) => {
        try {
          return this.#order.next(device) !== null;
        } catch (error) {
          if (isStoreFault(error)) return false;
          throw error;
        }
      },
      started: ({ id }) => {
        const progress = this.store.evaluations.summary(id)?.progress ?? null;
        this.health.write(() => this.store.jobs.start(id));
        this.#order.changed();
        this.hub.progress(id, 'running', progress);
      },
      pid: (id, pid) => this.store.jobs.setProcess(id, pid === null ? null : processIdentity(pid)),
      progress: (id, progress) => this.#live.set(id, progress),
      results: (id, results) => this.hub.results(id, results),
      requeued: (id) => {
        const progress = this.#live.get(id);
        if (progress !== null) this.store.jobs.setProgress(id, progress);
        this.store.jobs.requeue(id);
        this.#order.release(id);
        if (this.#stopping) return;
        this.hub.progress(id, 'queued', progress);
        this.#wakeAll();
      },
      ended: (id, ending) => this.#ended(id, ending),
      log: (message, details) => this.options.log.warn(details, message),
      fault: (message, details) => this.options.log.error(details, message),
    };
  }

  #writeProgress(id: string, progress: Progress): void {
    try {
      this.health.write(() => this.store.jobs.setProgress(id, progress));
    } catch (error) {
      if (isStoreFault(error)) return;
      this.options.log.warn({ err: error, id }, 'progress could not be stored');
    }
  }

  #ended(id: string, { status, ...outcome }: Ending): void {
    const progress = this.#live.get(id);
    this.health.write(() => {
      if (progress !== null)
        this.store.jobs.setProgress(id, {
          ...progress,
          secondsLeft: status === 'cancelled' || status === 'failed' ? null : 0,
        });
      this.store.jobs.finish(id, status, outcome);
    });
    this.#live.delete(id);
    this.#order.release(id);
    this.#ends.ended(id);
    this.options.log.info({ id, status, error: outcome.error?.code }, 'evaluation ended');
    let summary: EvaluationSummary | null;
    try {
      summary = this.store.evaluations.summary(id);
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
