/**
 * Gives the evaluations of a server to the workers of a queue, shard by shard. The folder of a run
 * is its truth and the queue a cache: what has no file and no job is put again. Few shards are in
 * the queue at a time, so that the server's fair order decides what comes next.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { FolderStore } from '../../src/evaluation/shards/folder-store.js';
import { isStoreFault } from '../jobs/store-health.js';
import type { CancelOptions, WorkerHost } from '../jobs/worker.js';
import { ActiveRun, type Outcome } from './active-run.js';
import { deviceFamilies } from './families.js';
import { QueueLink } from './queue-link.js';
import { nameBelow } from './run-folder.js';
import { mergeInChild, planInChild } from './run-tasks.js';
import {
  jobId,
  jobName,
  queueOfAny,
  queueOfDevice,
  queueOfKind,
  type ShardJob,
} from './shard-job.js';
import { WorkerList, type SeenWorker } from './worker-list.js';

export interface CoordinatorOptions {
  queue: string;
  /** Folder of the runs. */
  runs: string;
  /** Root folders of the server. */
  roots: readonly string[];
  shardSamples?: number | undefined;
  saesPerShard?: number | undefined;
  /** Seconds an evaluation may take; 0: no limit. */
  jobTimeout: number;
  /** File for the sums of an evaluation. */
  sumsOf(id: string): string;
  niceness: number;
  onShard: (outcome: 'done' | 'lost' | 'failed') => void;
  /** Called after each look, with the workers that live. */
  onLook: (workers: readonly SeenWorker[]) => void;
}

/** Runs under way at once, most of which wait for a machine of their kind. */
const mostRuns = 16;
/** Milliseconds between looks while something is under way, and else. */
const betweenLooks = 500;
const betweenIdleLooks = 2000;
const shardsForEachWorker = 2;

export class Coordinator {
  readonly #link: QueueLink;
  readonly #workers: WorkerList;
  readonly #runs = new Map<string, ActiveRun>();
  /** Jobs that wait, by the queue's name; null if the queue cannot be asked. */
  #waiting: Map<string, number> | null = null;
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
      else this.host.ended(run.id, run.outcome.status, run.outcome);
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
    await this.#askQueue(alive);
    for (const run of [...this.#runs.values()]) await this.#lookAt(run, alive);
    if (alive === null) return;
    for (const device of deviceFamilies) {
      const able = alive.filter((worker) => familyOf(worker) === device);
      if (able.length > 0) this.#takeMore(device, able);
      await this.#fill(device, able);
    }
  }

  /** Compares what we think is in the queue with what is there. */
  async #askQueue(alive: readonly SeenWorker[] | null): Promise<void> {
    this.#waiting = null;
    if (alive === null || this.#runs.size === 0) return;
    const names = new Set(
      [...this.#runs.values()].flatMap((run) => [
        queueOfDevice(run.device),
        queueOfAny(run.device),
        ...(run.kind === null ? [] : [queueOfKind(run.kind)]),
        ...run.queued.values(),
      ]),
    );
    const live = new Set<string>();
    const waiting = new Map<string, number>();
    try {
      for (const name of names) {
        const queue = this.#link.queue(name);
        const [waits, active] = await this.#link.ask(() =>
          Promise.all([queue.getJobs(['waiting']), queue.getJobs(['active'])]),
        );
        waiting.set(name, waits.length);
        for (const job of [...waits, ...active]) if (job?.id !== undefined) live.add(job.id);
      }
    } catch (thrown) {
      if (thrown instanceof SaeEvalError) throw thrown;
      return;
    }
    this.#waiting = waiting;
    for (const run of this.#runs.values()) run.compareQueue(live);
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
    const { id, createdAt, request, paths } = run.job;
    const { shardSamples, saesPerShard, niceness } = this.options;
    try {
      mkdirSync(run.place.folder, { recursive: true });
      // An earlier server may have been told to end it.
      rmSync(join(run.place.folder, 'cancel'), { force: true });
      await planInChild(
        {
          folder: run.place.folder,
          id,
          createdAt,
          request,
          paths,
          ...(shardSamples === undefined ? {} : { shardSamples }),
          ...(saesPerShard === undefined ? {} : { saesPerShard }),
        },
        { signal: run.ends.signal, niceness },
      );
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
    const { sumsOf, niceness } = this.options;
    try {
      const result = await mergeInChild(
        {
          folder: run.place.folder,
          sums: sumsOf(run.id),
          allowMissing,
          ...(run.isResumed ? {} : { seconds: (performance.now() - run.began) / 1000 }),
        },
        { signal: run.ends.signal, niceness },
      );
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
    for (const [index, name] of [...run.queued])
      await this.#link.tell(() => this.#link.queue(name).remove(jobId(run.id, index)));
  }

  #end(run: ActiveRun, outcome: Outcome): void {
    run.outcome = outcome;
    run.ends.abort();
    if (outcome.status === 'failed' || outcome.status === 'cancelled') void this.#withdraw(run);
    this.#store(run, outcome);
  }

  /** Stores how a run ended; if the store fails, the next look tries again. */
  #store(run: ActiveRun, outcome: Outcome): void {
    try {
      this.host.ended(run.id, outcome.status, outcome);
      this.#runs.delete(run.id);
      if (!this.#isStopping) setImmediate(() => this.wake());
    } catch (thrown) {
      if (!isStoreFault(thrown)) throw thrown;
    }
  }

  /** Puts shards into the queues, as many as the workers that read them can take soon. */
  async #fill(device: string, able: readonly SeenWorker[]): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === null) return;
    const room = (name: string, readers: number): number =>
      shardsForEachWorker * readers - (waiting.get(name) ?? 0);
    const put = async (run: ActiveRun, index: number, name: string): Promise<void> => {
      const data: ShardJob = { run: run.place.name, shard: index };
      await this.#link.ask(() =>
        this.#link.queue(name).add(jobName, data, {
          jobId: jobId(run.id, index),
          removeOnComplete: true,
          removeOnFail: true,
        }),
      );
      run.queued.set(index, name);
      waiting.set(name, (waiting.get(name) ?? 0) + 1);
    };
    try {
      for (const run of this.#runs.values()) {
        if (run.device !== device || run.phase !== 'computing' || run.outcome !== null) continue;
        if (run.kind === null) {
          const [first] = run.unqueued();
          const name = queueOfDevice(device);
          // One shard decides for all.
          if (run.queued.size === 0 && first !== undefined && room(name, able.length) > 0)
            await put(run, first, name);
          continue;
        }
        const [own, any] = [queueOfKind(run.kind), queueOfAny(device)];
        const same = able.filter(({ kind }) => kind === run.kind).length;
        const others = able.filter((worker) => worker.any && worker.kind !== run.kind).length;
        for (const index of run.unqueued()) {
          if (room(own, same) > 0) await put(run, index, own);
          else if (room(any, others) > 0) await put(run, index, any);
          else break;
        }
      }
    } catch (thrown) {
      if (thrown instanceof SaeEvalError) throw thrown;
    }
  }
}

const familyOf = ({ device }: SeenWorker): string => device.replace(/:\d+$/, '');

/** Whether a worker computes shards of a run. */
function mayCompute(worker: SeenWorker, run: ActiveRun): boolean {
  return run.kind === null || worker.any || worker.kind === run.kind;
}
