/** Computes the shards of a run on several devices of this machine, one process for each. */
import { type SaeEvalError, asSaeEvalError } from '../errors.js';
import { samplesOf, type ShardPlan } from '../evaluation/shards/plan.js';
import type { FolderStore } from '../evaluation/shards/folder-store.js';
import type { PathTable } from '../evaluation/request/path-table.js';
import type { Bilingual, Progress, ResolvedRequest } from '../schema/index.js';
import type { ComputeProcess, ComputeShardOptions } from './host.js';

export interface PoolDevice {
  /** Device to compute on; undefined: chosen by the request. */
  device: string | undefined;
  compute: Pick<ComputeProcess, 'shard'>;
}

export interface PoolOptions {
  store: FolderStore;
  plan: ShardPlan;
  /** The request as this machine finds its files. */
  request: ResolvedRequest;
  devices: readonly PoolDevice[];
  /** Shards to compute; default all. Those that are done are left out. */
  indices?: readonly number[];
  paths?: PathTable;
  allowProgram?: boolean;
  anyMachine?: boolean;
  signal?: AbortSignal;
  /** Ends after the micro-batches under way, with `preempted`. */
  stop?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  onNotice?: (text: Bilingual) => void;
  /** A device is given up: it failed twice in a row. */
  onDeviceLost?: (device: string, error: SaeEvalError) => void;
}

/** Times that one shard, or one device in a row, may fail. */
const mostAttempts = 3;
const mostFailures = 2;

/** Whether a failure says something about the process or its device, and not about the work. */
const isOfDevice = ({ code }: SaeEvalError): boolean =>
  code === 'process-died' || code === 'device-lost';

/** Shards that wait, with those under way. */
class Waiting {
  readonly #waiting: number[];
  readonly #attempts = new Map<number, number>();
  #underWay = 0;
  #wake: (() => void)[] = [];
  #isClosed = false;

  constructor(indices: readonly number[]) {
    this.#waiting = [...indices];
  }

  /** The next shard; undefined when all are done. One that is under way may come back. */
  async take(): Promise<number | undefined> {
    while (this.#waiting.length === 0 && this.#underWay > 0 && !this.#isClosed)
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    const index = this.#isClosed ? undefined : this.#waiting.shift();
    if (index !== undefined) this.#underWay += 1;
    return index;
  }

  done(): void {
    this.#underWay -= 1;
    this.#tell();
  }

  /** Gives a shard back that failed. @returns how often it has failed. */
  giveBack(index: number): number {
    const attempts = (this.#attempts.get(index) ?? 0) + 1;
    this.#attempts.set(index, attempts);
    this.#waiting.unshift(index);
    this.done();
    return attempts;
  }

  /** Nothing more is handed out. */
  close(): void {
    this.#isClosed = true;
    this.#tell();
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#underWay === 0;
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Progress of all devices together. */
class PoolProgress {
  readonly #began = performance.now();
  readonly #underWay = new Map<number, number>();
  #done: number;
  readonly #before: number;

  constructor(
    private readonly plan: ShardPlan,
    missing: ReadonlySet<number>,
    private readonly onProgress: PoolOptions['onProgress'],
  ) {
    this.#done = plan.shards
      .filter(({ index }) => !missing.has(index))
      .reduce((sum, shard) => sum + samplesOf(plan, shard), 0);
    this.#before = this.#done;
  }

  within(index: number, samples: number): void {
    this.#underWay.set(index, samples);
    this.#tell();
  }

  end(index: number, isDone: boolean): void {
    this.#underWay.delete(index);
    if (isDone) this.#done += samplesOf(this.plan, this.plan.shards[index]!);
    this.#tell();
  }

  #tell(): void {
    const { tokens, groups, data } = this.plan;
    const units = [...this.#underWay.values()].reduce((sum, one) => sum + one, this.#done);
    // A sample is done when all groups of SAEs are.
    const samples = Math.floor(units / groups.length);
    const seconds = Math.max((performance.now() - this.#began) / 1000, 1e-9);
    const rate = (units - this.#before) / groups.length / seconds;
    this.onProgress?.({
      samples,
      total: tokens.samples,
      batches: Math.floor((samples * tokens.batches) / tokens.samples),
      samplesPerSecond: rate,
      secondsLeft: rate > 0 ? (tokens.samples - units / groups.length) / rate : null,
      truncatedTokens: data.truncatedTokens,
      skipped: data.skipped,
    });
  }
}

/**
 * Computes the shards that are not done. A device that is lost costs the shard that it computed;
 * the others take over.
 * @throws SaeEvalError `cancelled`, `preempted`, the fault of a shard, or that of the last device.
 */
export async function computeShards(options: PoolOptions): Promise<void> {
  const { store, plan, devices } = options;
  const missing = store.missing(plan);
  const asked = options.indices === undefined ? null : new Set(options.indices);
  const waiting = new Waiting(missing.filter((index) => asked?.has(index) !== false));
  const progress = new PoolProgress(plan, new Set(missing), options.onProgress);
  const ends = new AbortController();
  const onAbort = (): void => ends.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted === true) onAbort();
  let fault: SaeEvalError | null = null;
  const fail = (error: SaeEvalError): void => {
    fault ??= error;
    waiting.close();
    ends.abort(error);
  };
  const outcomes = await Promise.all(
    devices.map((device) =>
      work(device, { waiting, progress, signal: ends.signal, fail, options }),
    ),
  );
  options.signal?.removeEventListener('abort', onAbort);
  if (fault !== null) throw fault as SaeEvalError;
  const lost = outcomes.find((error) => error !== null);
  if (!waiting.isEmpty && lost !== undefined && lost !== null) throw lost;
}

/** Computes shards on one device. @returns why the device was given up; null if it was not. */
async function work(
  { device, compute }: PoolDevice,
  {
    waiting,
    progress,
    signal,
    fail,
    options,
  }: {
    waiting: Waiting;
    progress: PoolProgress;
    signal: AbortSignal;
    fail: (error: SaeEvalError) => void;
    options: PoolOptions;
  },
): Promise<SaeEvalError | null> {
  const { store, request, paths, allowProgram, anyMachine, stop, onNotice } = options;
  let failures = 0;
  for (;;) {
    const index = await waiting.take();
    if (index === undefined) return null;
    const shard: ComputeShardOptions = {
      folder: store.folder,
      shard: index,
      signal,
      onSamples: (samples) => progress.within(index, samples),
      ...(device === undefined ? {} : { device }),
      ...(paths === undefined ? {} : { paths }),
      ...(allowProgram === undefined ? {} : { allowProgram }),
      ...(anyMachine === undefined ? {} : { anyMachine }),
      ...(stop === undefined ? {} : { stop }),
      ...(onNotice === undefined ? {} : { onNotice }),
    };
    try {
      await compute.shard(request, shard);
      failures = 0;
      progress.end(index, true);
      waiting.done();
    } catch (thrown) {
      const error = asSaeEvalError(thrown, `Shard ${index}`);
      progress.end(index, false);
      const attempts = waiting.giveBack(index);
      if (!isOfDevice(error) || attempts >= mostAttempts) {
        fail(error);
        return null;
      }
      failures += 1;
      if (failures < mostFailures) continue;
      options.onDeviceLost?.(device ?? 'the device', error);
      return error;
    }
  }
}
