/** Progress of a run whose shards several devices of this machine compute. */
import { samplesOf, type ShardPlan } from '../evaluation/shards/plan.js';
import type { Progress } from '../schema/index.js';

export class PoolProgress {
  readonly #began = performance.now();
  readonly #underWay = new Map<number, number>();
  #done: number;
  #shardsDone: number;
  #lost = 0;
  readonly #before: number;

  constructor(
    private readonly plan: ShardPlan,
    missing: ReadonlySet<number>,
    private readonly onProgress: ((progress: Progress) => void) | undefined,
  ) {
    this.#done = plan.shards
      .filter(({ index }) => !missing.has(index))
      .reduce((sum, shard) => sum + samplesOf(plan, shard), 0);
    this.#before = this.#done;
    this.#shardsDone = plan.shards.length - missing.size;
  }

  within(index: number, samples: number): void {
    this.#underWay.set(index, samples);
    this.#tell();
  }

  /** A shard is under way no more. `lost`: its device or process failed. */
  end(index: number, how: 'done' | 'lost' | 'stopped'): void {
    this.#underWay.delete(index);
    if (how === 'done') {
      this.#done += samplesOf(this.plan, this.plan.shards[index]!);
      this.#shardsDone += 1;
    } else if (how === 'lost') {
      this.#lost += 1;
    }
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
      shards: {
        done: this.#shardsDone,
        running: this.#underWay.size,
        total: this.plan.shards.length,
        lost: this.#lost,
      },
    });
  }
}
