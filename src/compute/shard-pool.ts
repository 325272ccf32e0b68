/** Computes the shards of a run on several devices of this machine, one process for each. */
import { type SaeEvalError, asSaeEvalError } from '../errors.js';
import type { ShardPlan } from '../evaluation/shards/plan.js';
import type { FolderStore } from '../evaluation/shards/folder-store.js';
import type { PathTable } from '../evaluation/request/path-table.js';
import type { Bilingual, Progress, ResolvedRequest } from '../schema/index.js';
import type { ComputeProcess, ComputeShardOptions } from './host.js';
import { PoolProgress } from './pool-progress.js';
import { isOfDevice, mostAttempts, WaitingShards } from './waiting-shards.js';

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

/** Times in a row that a device may fail. */
const mostFailures = 2;

/**
 * Computes the shards that are not done. A device that is lost costs the shard that it computed;
 * the others take over.
 * @throws SaeEvalError `cancelled`, `preempted`, the fault of a shard, or that of the last device.
 */
export async function computeShards(options: PoolOptions): Promise<void> {
  const { store, plan, devices } = options;
  const missing = store.missing(plan);
  const asked = options.indices === undefined ? null : new Set(options.indices);
  const waiting = new WaitingShards(missing.filter((index) => asked?.has(index) !== false));
  const progress = new PoolProgress(plan, new Set(missing), options);
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
    waiting: WaitingShards;
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
      progress.end(index, 'done');
      waiting.done();
    } catch (thrown) {
      const error = asSaeEvalError(thrown, `Shard ${index}`);
      progress.end(index, isOfDevice(error) ? 'lost' : 'stopped');
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
