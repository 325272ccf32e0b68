/** Progress of a run whose shards several devices of this machine compute. */
import type { FolderStore } from '../evaluation/shards/folder-store.js';
import { samplesOf, type ShardPlan } from '../evaluation/shards/plan.js';
import { RunWork } from '../evaluation/shards/run-work.js';
import type { Progress } from '../schema/index.js';

export class PoolProgress {
  readonly #began = performance.now();
  readonly #underWay = new Map<number, number>();
  readonly #before: ReadonlySet<number>;
  readonly #done: Set<number>;
  readonly #work: RunWork;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  #lost = 0;

  constructor(
    private readonly plan: ShardPlan,
    missing: ReadonlySet<number>,
    {
      store,
      onProgress,
    }: {
      store: Pick<FolderStore, 'decided'>;
      onProgress?: ((progress: Progress) => void) | undefined;
    },
  ) {
    const indices = plan.shards.map(({ index }) => index);
    this.#before = new Set(indices.filter((index) => !missing.has(index)));
    this.#done = new Set(this.#before);
    this.#work = new RunWork(plan, store);
    this.#onProgress = onProgress;
  }

  within(index: number, samples: number): void {
    this.#underWay.set(index, samples);
    this.#tell();
  }

  /** A shard is under way no more. `lost`: its device or process failed. */
  end(index: number, how: 'done' | 'lost' | 'stopped'): void {
    this.#underWay.delete(index);
    if (how === 'done') this.#done.add(index);
    else if (how === 'lost') this.#lost += 1;
    this.#tell();
  }

  /** Samples of shards, for all groups of SAEs together. */
  #units(shards: ReadonlySet<number>): number {
    const { plan } = this;
    return [...shards].reduce((sum, index) => sum + samplesOf(plan, plan.shards[index]!), 0);
  }

  #tell(): void {
    const { tokens, groups, data, shards } = this.plan;
    const [before, done, underWay] = [this.#before, this.#done, this.#underWay];
    const within = [...underWay.values()].reduce((sum, one) => sum + one, 0);
    const units = this.#units(done) + within;
    // A sample is done when all groups of SAEs are.
    const samples = Math.floor(units / groups.length);
    const seconds = Math.max((performance.now() - this.#began) / 1000, 1e-9);
    this.#onProgress?.({
      samples,
      total: tokens.samples,
      batches: Math.floor((samples * tokens.batches) / tokens.samples),
      samplesPerSecond: (units - this.#units(before)) / groups.length / seconds,
      secondsLeft: this.#work.left({ seconds, before, done, underWay }),
      truncatedTokens: data.truncatedTokens,
      skipped: data.skipped,
      shards: {
        done: done.size,
        running: underWay.size,
        total: shards.length,
        lost: this.#lost,
      },
    });
  }
}
