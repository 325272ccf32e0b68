/**
 * Work of a run in shards, and the time that it still takes on all devices together: shards whose
 * samples are only measured take far less than those that are spliced.
 */
import { sameWork, workOf, type SampleWork } from '../run/sample-work.js';
import type { FolderStore } from './folder-store.js';
import { samplesOf, type Shard, type ShardPlan } from './plan.js';

export class RunWork {
  #samples: SampleWork | null = null;

  constructor(
    private readonly plan: ShardPlan,
    private readonly store: Pick<FolderStore, 'decided'>,
  ) {}

  /** Work of the samples of a run; as if all were alike until a process has decided. */
  get #of(): SampleWork {
    const { spliceSamples } = this.plan.request;
    if (spliceSamples === undefined) return sameWork;
    if (this.#samples !== null) return this.#samples;
    const decided = this.store.decided(0);
    if (decided === null) return sameWork;
    const { measuredWork = 1 } = decided;
    return (this.#samples = { spliced: spliceSamples, measured: measuredWork });
  }

  /** Work of the first samples of a shard; default: of all of them. */
  of(shard: Shard, samples = Infinity): number {
    const from = shard.batches[0] * this.plan.request.batchSize;
    return workOf(from, from + Math.min(samples, samplesOf(this.plan, shard)), this.#of);
  }

  /**
   * Seconds that the rest takes; null if nothing was done.
   * @param before shards that were done before these seconds began.
   * @param done all shards that are done, with those.
   * @param underWay samples that are done of other shards.
   */
  left({
    seconds,
    before,
    done,
    underWay,
  }: {
    seconds: number;
    before: ReadonlySet<number>;
    done: ReadonlySet<number>;
    underWay: ReadonlyMap<number, number>;
  }): number | null {
    let [now, left] = [0, 0];
    for (const shard of this.plan.shards) {
      const { index } = shard;
      if (before.has(index)) continue;
      const all = this.of(shard);
      const own = done.has(index) ? all : this.of(shard, underWay.get(index) ?? 0);
      now += own;
      left += all - own;
    }
    if (left === 0) return 0;
    return now === 0 ? null : (seconds / now) * left;
  }
}
