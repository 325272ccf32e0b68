/** One evaluation whose shards several devices of this server compute. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PoolProgress } from '../../src/compute/pool-progress.js';
import { isOfDevice, mostAttempts, WaitingShards } from '../../src/compute/waiting-shards.js';
import type { ComputeProcess } from '../../src/compute/host.js';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { FolderStore } from '../../src/evaluation/shards/folder-store.js';
import type { ShardPlan } from '../../src/evaluation/shards/plan.js';
import type { Progress } from '../../src/schema/record.js';
import type { EvaluationResult } from '../../src/schema/result.js';
import { mergeInChild, planInChild } from '../shards/run-tasks.js';
import type { ShardState } from '../shards/active-run.js';
import type { Job } from './stored-jobs.js';

export interface SharedRunOptions {
  job: Job;
  /** Folder of the run. */
  folder: string;
  /** File for the sums. */
  sums: string;
  shardSamples?: number | undefined;
  saesPerShard?: number | undefined;
  niceness: number;
  /** Ends the run. */
  signal: AbortSignal;
  /** Ends it with the numbers of the shards that are done. */
  stop: AbortSignal;
  onProgress: (progress: Progress) => void;
  onNotice: (text: { en: string }) => void;
  /** Called once when other devices may join. */
  onJoinable: () => void;
}

/** A device that computes shards of it. */
export interface Member {
  device: string;
  compute: Pick<ComputeProcess, 'shard'>;
}

export class SharedRun {
  readonly store: FolderStore;
  #plan: ShardPlan | null = null;
  #waiting: WaitingShards | null = null;
  #progress: PoolProgress | null = null;
  #isContinued = false;
  #isJoinable = false;
  readonly #began = performance.now();
  /** Ends what is under way: the caller's signal, the fault of a shard, or a loss of the owner. */
  readonly #ends = new AbortController();
  readonly #running = new Map<number, string>();
  readonly #members = new Set<Promise<unknown>>();
  /** Devices that cannot compute it. */
  readonly #refused = new Set<string>();
  #fault: SaeEvalError | null = null;

  constructor(private readonly options: SharedRunOptions) {
    this.store = new FolderStore(options.folder);
    const { signal } = options;
    signal.addEventListener('abort', () => this.#ends.abort(signal.reason), { once: true });
    if (signal.aborted) this.#ends.abort(signal.reason);
  }

  get id(): string {
    return this.options.job.id;
  }

  get plan(): ShardPlan | null {
    return this.#plan;
  }

  /** Why it failed; null if it did not. Trying again would fail the same way. */
  get fault(): SaeEvalError | null {
    return this.#fault;
  }

  /**
   * Computes it with the device that answers for it, and with those that join.
   * @throws SaeEvalError the fault of a shard, `cancelled`, and `process-died`, `device-lost` or
   *   `storage-full` of the owner: it may be called again, and continues.
   */
  async result(owner: Member): Promise<EvaluationResult> {
    const { stop } = this.options;
    try {
      await this.#prepare();
      await this.#compute(owner);
    } catch (thrown) {
      const { code, message } = asSaeEvalError(thrown);
      if (this.#isContinued && beginsAgain.has(code)) {
        this.options.onNotice({ en: `the run begins again: ${message}` });
        await this.#forget();
        return this.result(owner);
      }
      if (!stop.aborted || code !== 'preempted') throw thrown;
      if (!this.#hasDone)
        throw new SaeEvalError('cancelled', 'The evaluation was cancelled.', { cause: thrown });
    }
    return this.#merge({ allowMissing: stop.aborted });
  }

  /** Makes the plan, or continues with the one that is there. */
  async #prepare(): Promise<void> {
    if (this.#plan !== null) return;
    const { job, folder, shardSamples, saesPerShard, niceness } = this.options;
    const { id, createdAt, request, paths } = job;
    await mkdir(folder, { recursive: true, mode: 0o700 }).catch((thrown: unknown) => {
      throw asSaeEvalError(thrown, folder);
    });
    // An earlier server may have been told to end it.
    await rm(join(folder, 'cancel'), { force: true });
    this.#isContinued = this.store.plan() !== null;
    await planInChild(
      {
        folder,
        id,
        createdAt,
        request,
        paths,
        ...(shardSamples === undefined ? {} : { shardSamples }),
        ...(saesPerShard === undefined ? {} : { saesPerShard }),
      },
      { signal: this.#ends.signal, niceness },
    );
    const plan = this.store.plan();
    if (plan === null) throw new SaeEvalError('internal', `${folder}: the plan was not written.`);
    const missing = this.store.missing(plan);
    this.#waiting = new WaitingShards(missing);
    const { onProgress } = this.options;
    this.#progress = new PoolProgress(plan, new Set(missing), { store: this.store, onProgress });
    this.#plan = plan;
  }

  /** Drops what an earlier server computed: it does not fit. */
  async #forget(): Promise<void> {
    // Whoever helps ends its shard first: it would write into the folder of the new run.
    this.#isJoinable = false;
    this.#waiting?.close();
    await Promise.allSettled(this.#members);
    await rm(this.store.folder, { recursive: true, force: true });
    this.#plan = null;
    this.#isContinued = false;
    this.#isJoinable = false;
  }

  /** Whether another device may compute a shard of it now. */
  mayJoin(device: string): boolean {
    if (!this.#isJoinable || this.#ends.signal.aborted || this.options.stop.aborted) return false;
    return this.#waiting!.hasNext && !this.#refused.has(device);
  }

  /** Computes shards on the device that answers for the run, until all are done. */
  async #compute(owner: Member): Promise<void> {
    for (;;) {
      const index = await this.#waiting!.take();
      if (this.#fault !== null) throw this.#fault;
      this.#ends.signal.throwIfAborted();
      if (index === undefined) return;
      if (this.options.stop.aborted)
        throw new SaeEvalError('preempted', 'The evaluation was stopped.');
      const error = await this.#shard(index, owner);
      if (error !== null) throw this.#fault ?? error;
    }
  }

  /**
   * Computes shards on another device while some wait.
   * @param member `mayLeave` is asked between two shards: whether it has something else to do.
   * @returns why the device gave up; null if it did not.
   */
  help(member: Member & { mayLeave: () => boolean }): Promise<SaeEvalError | null> {
    const helping = this.#help(member);
    this.#members.add(helping);
    return helping.finally(() => this.#members.delete(helping));
  }

  async #help(member: Member & { mayLeave: () => boolean }): Promise<SaeEvalError | null> {
    while (this.mayJoin(member.device) && !member.mayLeave()) {
      const index = this.#waiting!.takeNow();
      if (index === undefined) return null;
      const error = await this.#shard(index, member);
      if (error === null) continue;
      if (!this.#ends.signal.aborted)
        this.options.onNotice({ en: `${member.device} left a shared run: ${error.message}` });
      if (!isOfDevice(error)) this.#refused.add(member.device);
      return error;
    }
    return null;
  }

  /** Computes a shard. @returns why it is not done; null if it is. */
  async #shard(index: number, { device, compute }: Member): Promise<SaeEvalError | null> {
    const { job, stop, onNotice } = this.options;
    this.#running.set(index, device);
    this.#progress!.within(index, 0);
    try {
      await compute.shard(job.request, {
        folder: this.store.folder,
        shard: index,
        device,
        paths: job.paths,
        signal: this.#ends.signal,
        stop,
        onSamples: (samples) => {
          // The first device has decided for all.
          if (!this.#isJoinable) {
            this.#isJoinable = true;
            this.options.onJoinable();
          }
          this.#progress!.within(index, samples);
        },
        onNotice,
      });
      this.#running.delete(index);
      this.#progress!.end(index, 'done');
      this.#waiting!.done();
      return null;
    } catch (thrown) {
      this.#running.delete(index);
      const error = asSaeEvalError(thrown, `Shard ${index}`);
      const isLost = isOfDevice(error);
      this.#progress!.end(index, isLost ? 'lost' : 'stopped');
      if (isLost) {
        if (this.#waiting!.giveBack(index) >= mostAttempts) this.#fail(error);
      } else {
        this.#waiting!.putBack(index);
        const isStale = this.#isContinued && beginsAgain.has(error.code);
        if (!passes.has(error.code) && !isStale && !this.#ends.signal.aborted) this.#fail(error);
      }
      return error;
    }
  }

  #fail(error: SaeEvalError): void {
    this.#fault ??= error;
    this.#waiting?.close();
    this.#ends.abort(error);
  }

  /** The result; of the shards that are done if some are missing. */
  #merge({ allowMissing }: { allowMissing: boolean }): Promise<EvaluationResult> {
    const { sums, job, folder, niceness } = this.options;
    return mergeInChild(
      {
        folder,
        sums,
        paths: job.paths,
        allowMissing,
        // The time of earlier attempts is not known by the clock.
        ...(this.#isContinued ? {} : { seconds: (performance.now() - this.#began) / 1000 }),
      },
      { signal: this.#ends.signal, niceness },
    );
  }

  get #hasDone(): boolean {
    return this.#plan !== null && this.store.missing(this.#plan).length < this.#plan.shards.length;
  }

  stateOf(index: number): ShardState {
    if (this.#running.has(index)) return 'running';
    return this.store.has(index) ? 'done' : 'waiting';
  }

  /** The device that computes a shard. */
  workerOf(index: number): string | null {
    return this.#running.get(index) ?? null;
  }

  /** Ends the help of other devices; resolves when none computes. */
  async close(): Promise<void> {
    this.#waiting?.close();
    this.#ends.abort(new SaeEvalError('cancelled', 'The evaluation has ended.'));
    await Promise.allSettled(this.#members);
  }
}

/** Ends of a shard after which it is as good as before: another device, or the same one later. */
const passes: ReadonlySet<string> = new Set([
  'preempted',
  'cancelled',
  'storage-full',
  'machine-differs',
  'device-unavailable',
  'device-memory',
]);

/** Ends of a run that was continued, after which its files do not fit what there is now. */
const beginsAgain: ReadonlySet<string> = new Set([
  'machine-differs',
  'input-changed',
  // Another version of this program made the plan.
  'request-invalid',
  'storage-damaged',
]);
