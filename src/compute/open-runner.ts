/** The runner of shards of a compute process, kept open from one shard to the next of a run. */
import { openPaths, serverAllowsPrograms } from '../evaluation/request/path-table.js';
import type { WeightCache } from '../evaluation/run/weight-cache.js';
import { FolderStore } from '../evaluation/shards/folder-store.js';
import { ShardRunner, type ShardDone, type ShardOptions } from '../evaluation/shards/runner.js';
import { SaeEvalError } from '../errors.js';
import type { ToChild } from './protocol.js';

type ShardMessage = Extract<ToChild, { type: 'shard' }>;

export class OpenRunner {
  #open: { key: string; runner: ShardRunner } | null = null;

  constructor(private readonly cache: WeightCache) {}

  /** Computes a shard. @throws SaeEvalError `file-not-found` if the folder has no plan. */
  async run(
    message: ShardMessage,
    { device, ...options }: ShardOptions & { device: string },
  ): Promise<ShardDone> {
    const { folder, shard, repeat, request, paths, allowProgram, anyMachine } = message;
    const resolvePath = openPaths(paths, [folder]);
    const store = new FolderStore(folder);
    const plan = store.plan();
    const planned = plan?.shards[shard];
    if (plan === null || planned === undefined)
      throw new SaeEvalError(
        'file-not-found',
        plan === null
          ? `${folder}: there is no plan.json.`
          : `${folder}: the plan has ${plan.shards.length} shards, and none of index ${shard}.`,
      );
    const { group } = planned;
    const key = JSON.stringify([folder, plan.digest, group, device, request, paths, anyMachine]);
    if (this.#open?.key !== key) {
      this.close();
      const runner = await ShardRunner.open({
        store,
        plan,
        group,
        request,
        device,
        anyMachine,
        resolvePath,
        paths,
        allowProgram: paths === null ? allowProgram : serverAllowsPrograms(),
        cache: this.cache,
      });
      this.#open = { key, runner };
    }
    try {
      return await this.#open.runner.run(shard, { ...options, repeat });
    } catch (thrown) {
      // The fault may lie in what was loaded; after a stop or a cancel nothing is due.
      this.close();
      throw thrown;
    }
  }

  /** Gives back what is loaded. */
  close(): void {
    this.#open?.runner.close();
    this.#open = null;
  }
}
