/** A run in shards as the command line begins it: its folder, its plan, its devices. */
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { ComputeProcess } from '../compute/host.js';
import type { PoolDevice } from '../compute/shard-pool.js';
import { checkInputs, type CheckedInputs } from '../evaluation/run/inputs.js';
import { FolderStore } from '../evaluation/shards/folder-store.js';
import { planRun } from '../evaluation/shards/make-plan.js';
import type { ShardPlan } from '../evaluation/shards/plan.js';
import type { EvaluationRequest } from '../schema/index.js';

/** Flags of the commands that plan a run. */
export interface PlanFlags {
  overwrite?: boolean;
  allowProgram?: boolean;
  /** Samples of a shard, about. */
  shardSamples?: string;
  /** SAEs that a shard computes. */
  saesPerShard?: string;
}

export interface PlannedRun {
  inputs: CheckedInputs;
  store: FolderStore;
  plan: ShardPlan;
}

/** A count that an option gives. @throws SaeEvalError `request-invalid`. */
export function countOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new SaeEvalError(
      'request-invalid',
      `${option}: expected a whole number above 0, found ${text}`,
    );
  return value;
}

/**
 * Plans a run in a folder, or joins the one that is there.
 * @throws SaeEvalError `request-invalid` if the folder has another run's plan.
 */
export async function plannedRun(
  request: EvaluationRequest,
  folder: string,
  flags: PlanFlags & { signal?: AbortSignal },
): Promise<PlannedRun> {
  const shardSamples = countOf(flags.shardSamples, '--shard-samples');
  const saesPerShard = countOf(flags.saesPerShard, '--saes-per-shard');
  const inputs = await checkInputs(request, { allowProgram: flags.allowProgram ?? false });
  const store = new FolderStore(folder);
  const { signal } = flags;
  const make = (): Promise<ShardPlan> =>
    planRun(inputs, store, { shardSamples, saesPerShard, signal });
  try {
    return { inputs, store, plan: await make() };
  } catch (thrown) {
    const { code } = asSaeEvalError(thrown);
    const isOther = code === 'request-invalid' || code === 'input-changed';
    if (flags.overwrite !== true || (!isOther && code !== 'storage-damaged')) throw thrown;
    store.remove();
    return { inputs, store, plan: await make() };
  }
}

/**
 * The devices that `--devices` names, with a process for each.
 * @param devices `all` or names, separated by commas.
 * @param first a process that was started ahead, which the first device takes over.
 * @throws SaeEvalError `device-unavailable`.
 */
export async function processesFor(
  devices: string,
  first: ComputeProcess,
): Promise<(PoolDevice & { compute: ComputeProcess })[]> {
  const { devices: present } = await first.describe();
  const names = present.map(({ name }) => name);
  const gpus = names.filter((name) => name !== 'cpu');
  const wanted =
    devices === 'all'
      ? gpus.length > 0
        ? gpus
        : ['cpu']
      : devices.split(',').map((name) => name.trim());
  const absent = wanted.find((name) => !names.includes(name));
  if (absent !== undefined)
    throw new SaeEvalError(
      'device-unavailable',
      `--devices: expected all, or some of ${names.join(', ')} separated by commas, found ` +
        (absent === '' ? 'an empty name' : absent),
    );
  return wanted.map((device, index) => ({
    device,
    compute: index === 0 ? first : new ComputeProcess(),
  }));
}
