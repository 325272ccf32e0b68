/**
 * Gives the evaluations of a server to the workers of a queue, shard by shard. The folder of a run
 * is its truth and the queue a cache that may be lost at any moment.
 */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { FolderStore } from '../../src/evaluation/shards/folder-store.js';
import { isStoreFault } from '../jobs/store-health.js';
import type { CancelOptions, Ending, WorkerHost } from '../jobs/worker-host.js';
import { familyOf, mayCompute } from './able-workers.js';
import { ActiveRun } from './active-run.js';
import { deviceFamilies } from './families.js';
import { QueueLink } from './queue-link.js';
import { QueuedShards } from './queued-shards.js';
import { nameBelow } from './run-folder.js';
import { mergeRunOf, planRunOf, type RunStepsOptions } from './run-steps.js';
import { WorkerList, type SeenWorker } from './worker-list.js';

export interface CoordinatorOptions extends RunStepsOptions {
  queue: string;
  /** Folder of the runs. */
  runs: string;
  /** Root folders of the server. */
  roots: readonly string[];
  /** Seconds an evaluation may take; 0: no limit. */
  jobTimeout: number;
  onShard: (outcome: 'done' | 'lost' | 'failed') => void;
  /** Called after each look, with the workers that live. */
  onLook: (workers: readonly SeenWorker[]) => void;
}

/** Runs under way at once, most of which wait for a machine of their kind. */
const mostRuns = 16;
/** Milliseconds between looks while something is under way, and else. */
const betweenLooks = 500;
const betweenIdleLooks = 2000;

export class Coordinator {
  readonly #link: QueueLink;
  readonly #workers: WorkerList;
  readonly #queued: QueuedShards;
  readonly #runs = new Map<string, ActiveRun>();
  #timer: NodeJS.Timeout | undefined;
  #pass: Promise<void> | null = null;
  #isStopping = false;
  #fault: string | null = null;

  constructor(
    private readonly host: WorkerHost,
    private readonly options: CoordinatorOptions,
  ) {
    mkdirSync(options.runs, { recursive: true });
    this.#link = new QueueLink({
      url: options.queue,
      log: (message) => host.log(message, {}),
    });
    this.#workers = new WorkerList(this.#link);
    this.#queued = new QueuedShards(this.#link);
    this.wake();
  }

  /** Why the queue cannot be used; null if it can. */
  get problem(): string | null {
    return this.#fault ?? (this.#link.isLost ? 'The queue of shards does not answer.' : null);
  }

  /** Kinds of devices that live workers have. */
  families(): string[] {
    return [...new Set(this.#workers.alive().map(familyOf))];
  }

  workers(): SeenWorker[] {
    return this.#workers.all();
  }

  /** A run that is under way. */
  run(id: string): ActiveRun | null {
    return this.#runs.get(id) ?? null;
  }

  /** The folder of a run, whether it is under way or not. */
  storeOf(id: string): FolderStore {
    return new FolderStore(this.#folderOf(id));
  }

  #folderOf(id: string): string {
    return join(this.options.runs, id.replaceAll(/[^\w-]/g, ''));
  }

  /** Looks for work now. */
  wake(): void {
    clearTimeout(this.#timer);
    if (this.#isStopping || this.#pass !== null) return;
    this.#pass = this.#look()
      .catch((thrown: unknown) => {
        const { code, message } = asSaeEvalError(thrown);
        this.#fault = code === 'configuration-invalid' ? message : null;
        if (!isStoreFault(thrown)) this.host.fault('a look at the runs failed', { err: thrown });
      })
      .finally(() => {
        this.#pass = null;
        if (this.#isStopping) return;
        const rest = this.#runs.size > 0 ? betweenLooks : betweenIdleLooks;
        this.#timer = setTimeout(() => this.wake(), rest);
      });
  }

  /** Ends an evaluation that is under way; `keep`: with the numbers of the shards done. */
  cancel(id: string, { keep = false, because }: CancelOptions = {}): boolean {
    const run = this.#runs.get(id);
    if (run === undefined) {
      this.#markLeft(id);
      return false;
    }
    if (run.outcome !== null || run.phase === 'merging') return true;
    const error = because ?? new SaeEvalError('cancelled', 'The evaluation was cancelled.');
    if (keep && run.plan !== null && run.done.size > 0) {
      void this.#withdraw(run);
      void this.#merge(run, { allowMissing: true });
    } else {
      this.#end(run, { status: 'cancelled', error: error.toJSON() });
    }
    return true;
  }

  /** Ends what workers still compute of a run that an earlier server began. */
  #markLeft(id: string): void {
    try {
      const store = this.storeOf(id);
      if (store.plan() !== null) store.cancel();
    } catch (error) {
      this.host.log('the mark that ends a run could not be written', { err: error, id });
    }
  }

  /** Removes the folder of an evaluation that was removed. */
  async forget(id: string): Promise<void> {
    await rm(this.#folderOf(id), { recursive: true, force: true });
  }

  /** Leaves the runs to the next server: workers go on with what is in the queue. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    await this.#pass;
    for (const run of this.#runs.values()) {
      run.ends.abort();
      if (run.outcome === null) this.host.requeued(run.id);
      else this.host.ended(run.id, run.outcome);
    }
    this.#runs.clear();
    await this.#link.close();
  }

  async #look(): Promise<void> {
    let alive: SeenWorker[] | null = null;
    try {
      await this.#workers.look();
      alive = this.#workers.alive();
      this.#fault = null;
    } catch (thrown) {
      if (thrown instanceof SaeEvalError) throw thrown;
    }
    if (alive !== null) this.options.onLook(alive);
    // The queue is asked before the folder: what leaves it meanwhile is there.
    if (alive === null) this.#queued.forget();
    else await this.#queued.compare([...this.#runs.values()]);
    for (const run of [...this.#runs.values()]) await this.#lookAt(run, alive);
    if (alive === null) return;
    for (const device of deviceFamilies) {
      const able = alive.filter((worker) => familyOf(worker) === device);
      if (able.length > 0) this.#takeMore(device, able);
      const runs = [...this.#runs.values()].filter((run) => run.device === device);
      await this.#queued.fill(runs, { device, able });
    }
  }

  async #lookAt(run: ActiveRun, alive: readonly SeenWorker[] | null): Promise<void> {
    if (run.outcome !== null) this.#store(run, run.outcome);
    if (run.outcome !== null || run.phase !== 'computing') return;
    try {
      await run.look(alive, this.options.onShard);
      this.#checkTime(run);
      if (run.store.isCancelled) run.store.throwIfCancelled();
    } catch (thrown) {
      const error = asSaeEvalError(thrown, run.place.folder).toJSON();
      this.#end(run, { status: error.code === 'cancelled' ? 'cancelled' : 'failed', error });
      return;
    }
    const progress = run.progress();
    if (progress !== null) this.host.progress(run.id, progress);
    if (run.isComplete) void this.#merge(run, { allowMissing: false });
  }

  #checkTime(run: ActiveRun): void {
    const { jobTimeout } = this.options;
    if (jobTimeout === 0 || performance.now() - run.began < jobTimeout * 1000) return;
    throw new SaeEvalError(
      'timed-out',
      `The evaluation computed for ${jobTimeout} s, the longest the server allows.`,
    );
  }

  /** Takes evaluations while workers would have too few shards. */
  #takeMore(device: string, able: readonly SeenWorker[]): void {
    for (;;) {
      const own = [...this.#runs.values()].filter((run) => run.device === device);
      const isBusy = own.some(
        (run) =>
          run.outcome === null &&
          (run.phase === 'planning' ||
            (run.phase === 'computing' &&
              run.unqueued().length > 0 &&
              able.some((worker) => mayCompute(worker, run)))),
      );
      if (isBusy || own.length >= mostRuns) return;
      const job = this.host.take(device);
      if (job === null) return;
      const folder = this.#folderOf(job.id);
      const name = nameBelow(this.options.roots, folder);
      const run = new ActiveRun(job, device, { folder, name });
      this.#runs.set(run.id, run);
      this.host.started(job);
      void this.#plan(run);
    }
  }

  async #plan(run: ActiveRun): Promise<void> {
    try {
      await planRunOf(run, this.options);
      if (run.ends.signal.aborted) return;
      run.plan = run.store.plan();
      run.phase = 'computing';
      this.wake();
    } catch (thrown) {
      if (run.ends.signal.aborted) return;
      this.#end(run, { status: 'failed', error: asSaeEvalError(thrown, 'The plan').toJSON() });
    }
  }

  async #merge(run: ActiveRun, { allowMissing }: { allowMissing: boolean }): Promise<void> {
    run.phase = 'merging';
    try {
      const result = await mergeRunOf(run, { ...this.options, allowMissing });
      if (!this.#isStopping) this.#end(run, { status: result.status, result });
    } catch (thrown) {
      if (this.#isStopping || run.ends.signal.aborted) return;
      this.#end(run, { status: 'failed', error: asSaeEvalError(thrown, 'The merge').toJSON() });
    }
  }

  /** Marks a run as over, for workers, and takes its shards out of the queue. */
  async #withdraw(run: ActiveRun): Promise<void> {
    try {
      if (run.plan !== null) run.store.cancel();
    } catch (error) {
      this.host.log('the mark that ends a run could not be written', { err: error, id: run.id });
    }
    await this.#queued.remove(run);
  }

  #end(run: ActiveRun, outcome: Ending): void {
    run.outcome = outcome;
    run.ends.abort();
    if (outcome.status === 'failed' || outcome.status === 'cancelled') void this.#withdraw(run);
    this.#store(run, outcome);
  }

  /** Stores how a run ended; if the store fails, the next look tries again. */
  #store(run: ActiveRun, outcome: Ending): void {
    try {
      this.host.ended(run.id, outcome);
      this.#runs.delete(run.id);
      if (!this.#isStopping) setImmediate(() => this.wake());
    } catch (thrown) {
      if (!isStoreFault(thrown)) throw thrown;
    }
  }
}
