/** `sae-eval evaluate --devices`: one evaluation on several devices of this machine. */
import { mkdir } from 'node:fs/promises';
import type { ComputeProcess } from '../../compute/host.js';
import { computeShards } from '../../compute/shard-pool.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { merge } from '../../evaluation/shards/merge.js';
import type { EvaluationRequest, EvaluationResult, Progress } from '../../schema/index.js';
import { plannedRun, processesFor, type PlanFlags } from '../sharded-run.js';
import { say } from '../say.js';

export interface ShardedOptions extends PlanFlags {
  /** `all`, or names of devices separated by commas. */
  devices: string;
  /** Folder of the run. */
  folder: string;
  /** File of the sums. */
  sums?: string;
  /** File of the latents table. */
  latents?: string;
  /** A process that was started ahead. */
  compute: ComputeProcess;
  /** Stops and keeps the shards that are done. */
  stop: AbortSignal;
  cancel: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/**
 * Checks `--devices` and what belongs to it.
 * @throws SaeEvalError `request-invalid` if the request names its device too, or an option would do
 *   nothing.
 */
export function checkDevices(
  { device }: Pick<EvaluationRequest, 'device'>,
  { devices, shardSamples, saesPerShard }: PlanFlags & { devices?: string },
): void {
  const without = shardSamples === undefined ? '--saes-per-shard' : '--shard-samples';
  if (devices === undefined && (shardSamples ?? saesPerShard) !== undefined)
    throw new SaeEvalError(
      'request-invalid',
      `${without}: a run in one piece has no shards; give --devices too`,
    );
  if (devices !== undefined && device !== undefined)
    throw new SaeEvalError(
      'request-invalid',
      `--devices: the request names its device (${device}); give one or the other`,
    );
}

/**
 * Computes a request in shards and merges them. What is done stays in the folder: the same command
 * continues.
 */
export async function evaluateShards(
  request: EvaluationRequest,
  { devices, folder, sums, latents, compute, stop, cancel, onProgress, ...flags }: ShardedOptions,
): Promise<EvaluationResult> {
  const began = performance.now();
  await mkdir(folder, { recursive: true }).catch((thrown: unknown) => {
    throw asSaeEvalError(thrown, folder);
  });
  const { inputs, store, plan } = await plannedRun(request, folder, { ...flags, signal: cancel });
  const pool = await processesFor(devices, compute);
  const resumed = store.missing(plan).length < plan.shards.length;
  let isStopped = false;
  try {
    await computeShards({
      store,
      plan,
      request: inputs.validated.request,
      devices: pool,
      allowProgram: flags.allowProgram ?? false,
      stop,
      signal: cancel,
      onProgress,
      onDeviceLost: (device, error) => say(`${device} is given up: ${error.message}`),
    });
  } catch (thrown) {
    isStopped = stop.aborted && asSaeEvalError(thrown).code === 'preempted';
    if (!isStopped) throw thrown;
  } finally {
    await Promise.all(pool.map((one) => one.compute.close()));
  }
  return merge(store, {
    allowMissing: isStopped,
    ...(sums === undefined ? {} : { sums }),
    ...(latents === undefined ? {} : { latents }),
    // The time of earlier attempts is not known by the clock.
    ...(resumed ? {} : { seconds: (performance.now() - began) / 1000 }),
  });
}
