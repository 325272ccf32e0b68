/** A run that the workers of a queue compute, as its folder shows it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SaeEvalError, type SerializedError } from '../../src/errors.js';
import { FolderStore } from '../../src/evaluation/shards/folder-store.js';
import { RunWork } from '../../src/evaluation/shards/run-work.js';
import { samplesOf, type ShardPlan } from '../../src/evaluation/shards/plan.js';
import type { Progress } from '../../src/schema/record.js';
import type { Job } from '../jobs/stored-jobs.js';
import type { Ending } from '../jobs/worker-host.js';
import { attemptsOf, type Attempt } from './attempts.js';
import { jobId, kindDigest } from './shard-job.js';
import type { SeenWorker } from './worker-list.js';

/** Times that a shard may be lost, or its process may die. */
const mostLosses = 3;

/** Faults of a process or a device, which may be chance. */
const mayBeChance: readonly string[] = ['process-died', 'device-lost'];

export type ShardState = 'done' | 'running' | 'queued' | 'waiting';

export class ActiveRun {
  phase: 'planning' | 'computing' | 'merging' = 'planning';
  readonly store: FolderStore;
  plan: ShardPlan | null = null;
  /** Digest of the kind of machine that began it; null until one has. */
  kind: string | null = null;
  readonly done = new Set<number>();
  /** Shards that are in the queue, by the queue's name. */
  readonly queued = new Map<number, string>();
  /** Workers that compute a shard, by its index. */
  readonly running = new Map<number, SeenWorker>();
  /** Attempts that were lost. */
  lost = 0;
  /** Its end; null before. */
  outcome: Ending | null = null;
  readonly ends = new AbortController();
  readonly began = performance.now();
  /** Shards that were done at the first look. */
  #before: ReadonlySet<number> | null = null;
  #work: RunWork | null = null;
  readonly #counted = new Set<string>();

  constructor(
    readonly job: Job,
    /** Kind of device that it asks for. */
    readonly device: string,
    /** Its folder, and how workers find it. */
    readonly place: { folder: string; name: string },
  ) {
    this.store = new FolderStore(place.folder);
  }

  get id(): string {
    return this.job.id;
  }

  /** Whether it went on from what an earlier server began. */
  get isResumed(): boolean {
    return (this.#before?.size ?? 0) > 0;
  }

  get isComplete(): boolean {
    return this.plan !== null && this.done.size === this.plan.shards.length;
  }

  /** Indices of shards that are neither done nor in the queue. */
  unqueued(): number[] {
    return (this.plan?.shards ?? [])
      .map(({ index }) => index)
      .filter((index) => !this.done.has(index) && !this.queued.has(index));
  }

  /** Drops what the queue does not have any more. `live`: ids of its jobs. */
  compareQueue(live: ReadonlySet<string>): void {
    for (const index of this.queued.keys())
      if (!live.has(jobId(this.id, index))) this.queued.delete(index);
  }

  /**
   * Looks into the folder.
   * @param workers those that live; null if the queue cannot be asked.
   * @throws SaeEvalError the fault that ends the run.
   */
  async look(
    workers: readonly SeenWorker[] | null,
    onShard: (outcome: 'done' | 'lost' | 'failed') => void,
  ): Promise<void> {
    const { plan, store } = this;
    if (plan === null) return;
    const names = new Set(await readdir(join(store.folder, 'shards')));
    const isFirst = this.#before === null;
    for (const { index } of plan.shards) {
      if (this.done.has(index) || !names.has(fileNameOf(store, index))) continue;
      this.done.add(index);
      this.queued.delete(index);
      if (!isFirst) onShard('done');
    }
    this.#before ??= new Set(this.done);
    if (this.kind === null) {
      const decided = store.decided(0);
      if (decided !== null) this.kind = kindDigest(decided.machine);
    }
    if (workers === null) return;
    this.running.clear();
    for (const worker of workers)
      if (worker.run === this.id && worker.shard !== null && worker.state === 'computing')
        if (!this.done.has(worker.shard)) this.running.set(worker.shard, worker);
    this.#judge(attemptsOf(store.folder), workers, onShard);
  }

  #judge(
    attempts: readonly Attempt[],
    workers: readonly SeenWorker[],
    onShard: (outcome: 'lost' | 'failed') => void,
  ): void {
    const alive = new Set(workers.map(({ id }) => id));
    const losses = new Map<number, Attempt[]>();
    for (const attempt of attempts) {
      const { shard, error, worker, name } = attempt;
      if (this.done.has(shard) && error === null) continue;
      if (error === null && alive.has(worker)) continue;
      if (!this.#counted.has(name)) {
        this.#counted.add(name);
        this.lost += 1;
        onShard(error === null ? 'lost' : 'failed');
      }
      if (this.done.has(shard)) continue;
      if (error !== null && !mayBeChance.includes(error.code))
        throw SaeEvalError.fromJSON(error as SerializedError);
      losses.set(shard, [...(losses.get(shard) ?? []), attempt]);
    }
    for (const [shard, lost] of losses) if (lost.length >= mostLosses) throw poison(shard, lost);
  }

  /** Samples of shards, for all groups of SAEs together. */
  #units(plan: ShardPlan, shards: Iterable<number>): number {
    return [...shards].reduce((sum, index) => sum + samplesOf(plan, plan.shards[index]!), 0);
  }

  progress(): Progress | null {
    const { plan } = this;
    if (plan === null) return null;
    const { tokens, groups, data } = plan;
    const before = this.#before ?? new Set();
    const underWay = new Map(
      [...this.running].flatMap(([index, { samples }]) => {
        const shard = plan.shards[index];
        return shard === undefined ? [] : [[index, Math.min(samples, samplesOf(plan, shard))]];
      }),
    );
    const within = [...underWay.values()].reduce((sum, samples) => sum + samples, 0);
    const units = this.#units(plan, this.done) + within;
    const seconds = Math.max((performance.now() - this.began) / 1000, 1e-3);
    const rate = (units - this.#units(plan, before)) / groups.length / seconds;
    const samples = Math.min(tokens.samples, Math.floor(units / groups.length));
    this.#work ??= new RunWork(plan, this.store);
    return {
      samples,
      total: tokens.samples,
      batches: Math.floor((samples * tokens.batches) / tokens.samples),
      samplesPerSecond: Math.max(rate, 0),
      secondsLeft: this.#work.left({ seconds, before, done: this.done, underWay }),
      truncatedTokens: data.truncatedTokens,
      skipped: data.skipped,
      shards: {
        done: this.done.size,
        running: this.running.size,
        total: plan.shards.length,
        lost: this.lost,
      },
    };
  }

  stateOf(index: number): ShardState {
    if (this.done.has(index)) return 'done';
    if (this.running.has(index)) return 'running';
    return this.queued.has(index) ? 'queued' : 'waiting';
  }
}

const fileNameOf = (store: FolderStore, index: number): string =>
  store.shardPath(index).split('/').pop()!;

function poison(shard: number, lost: readonly Attempt[]): SaeEvalError {
  const known = lost.flatMap(({ error }) => error ?? []).at(-1);
  const hosts = [...new Set(lost.map(({ host }) => host))].join(', ');
  return new SaeEvalError(
    'process-died',
    `Shard ${shard} was lost ${lost.length} times, on ${hosts}` +
      (known === undefined
        ? ': the workers ended while they computed it. Look at their logs, and at the memory ' +
          'that they may use.'
        : `. The last time: ${known.message}`),
  );
}
