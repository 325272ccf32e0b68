/** The state of a run in shards, from its folder. */
import { SaeEvalError } from '../../errors.js';
import { exists } from './write-once.js';
import { join } from 'node:path';
import { samplesOf } from './plan.js';
import type { FolderStore, Partial } from './folder-store.js';

export interface RunStatus {
  /** Digest of the plan. */
  plan: string;
  shards: { done: number; total: number; missing: number[] };
  /** Samples whose shards are done, for each group of SAEs. */
  samples: { done: number; total: number };
  /** Shards that were begun, with the last sign of each. */
  begun: Partial[];
  isCancelled: boolean;
  /** Whether the shards are merged. */
  isMerged: boolean;
}

/** @throws SaeEvalError `file-not-found` if the folder has no plan. */
export function statusOf(store: FolderStore): RunStatus {
  const plan = store.plan();
  if (plan === null)
    throw new SaeEvalError(
      'file-not-found',
      `${store.folder}: there is no plan.json. Expected the folder of a run in shards; a run ` +
        'that has just begun still reads its text.',
    );
  const missing = store.missing(plan);
  const lacks = new Set(missing);
  const units = plan.shards.reduce(
    (sum, shard) => sum + (lacks.has(shard.index) ? 0 : samplesOf(plan, shard)),
    0,
  );
  return {
    plan: plan.digest,
    shards: { done: plan.shards.length - missing.length, total: plan.shards.length, missing },
    samples: { done: Math.floor(units / plan.groups.length), total: plan.tokens.samples },
    begun: store.partials(),
    isCancelled: store.isCancelled,
    isMerged: exists(join(store.folder, 'report.json')),
  };
}
