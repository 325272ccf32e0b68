/** `sae-eval shard`: computes this process's part of the shards of a run. */
import type { ChildProcess } from 'node:child_process';
import { ComputeProcess } from '../../compute/host.js';
import { computeShards } from '../../compute/shard-pool.js';
import { SaeEvalError } from '../../errors.js';
import { indexOfEnvironment, indexOfText, shardsFor } from '../array-index.js';
import { progressDisplay } from '../progress-bar.js';
import { requestOf } from '../changed-request.js';
import type { RequestArguments } from '../request-arguments.js';
import { withDevice } from '../request-device.js';
import { plannedRun, type PlanFlags } from '../sharded-run.js';
import { say } from '../say.js';

export interface ShardFlags extends Omit<PlanFlags, 'overwrite'> {
  /** Folder of the run, which all its processes share. */
  out: string;
  device?: string;
  dtype?: string;
  /** `any`: kinds of machines may be mixed. */
  machine?: 'same' | 'any';
  /** A running compute process to use. */
  child?: ChildProcess;
}

/**
 * Ends the work after the micro-batch under way, so that finished batches are kept: schedulers send
 * SIGTERM some time before they kill.
 */
function onTermination(end: () => void): { forget(): void; endsByItself(): void } {
  let isDone = false;
  const listener = (): void => {
    // The process ends by itself, with the exit code of work that is done.
    if (isDone) return;
    forget(); // A further one ends the process.
    process.stderr.write('Stopping; finished batches are kept.\n');
    end();
  };
  const forget = (): void => {
    process.removeListener('SIGTERM', listener).removeListener('SIGINT', listener);
  };
  process.on('SIGTERM', listener).on('SIGINT', listener);
  return { forget, endsByItself: () => (isDone = true) };
}

/** Computes the shards of this process; the run's result comes from `merge`. */
export async function shardCommand(
  arguments_: RequestArguments,
  indexText: string | undefined,
  { child, out, machine, ...flags }: ShardFlags,
): Promise<void> {
  const compute = new ComputeProcess(child === undefined ? {} : { child });
  compute.prepare();
  const progress = progressDisplay();
  const stop = new AbortController();
  const termination = onTermination(() => stop.abort());
  const begun = performance.now();
  try {
    const own = indexText === undefined ? indexOfEnvironment(process.env) : indexOfText(indexText);
    const input = withDevice(await requestOf(arguments_), flags);
    const { inputs, store, plan } = await plannedRun(input, out, {
      ...flags,
      signal: stop.signal,
    }).catch((thrown: unknown) => {
      throw stop.signal.aborted
        ? new SaeEvalError('preempted', 'Stopped while the plan was made.', { cause: thrown })
        : thrown;
    });
    const indices = shardsFor(own ?? { index: 0, count: 1, from: '' }, plan.shards.length);
    const part = own === null ? '' : ` (${own.from})`;
    process.stderr.write(
      `${indices.length} of ${plan.shards.length} shards are this process's${part}\n`,
    );
    const missing = new Set(store.missing(plan));
    await computeShards({
      store,
      plan,
      request: inputs.validated.request,
      devices: [{ device: flags.device, compute }],
      indices,
      allowProgram: flags.allowProgram ?? false,
      anyMachine: machine === 'any',
      stop: stop.signal,
      onProgress: (at) => progress.update(at),
      onNotice: ({ en }) => say(en),
    });
    termination.endsByItself();
    progress.stop();
    const computed = indices.filter((index) => missing.has(index)).length;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    say(`computed ${computed} shards in ${seconds} s; ${out} has them`);
  } catch (thrown) {
    termination.forget();
    throw thrown;
  } finally {
    progress.stop();
    await compute.close();
  }
}
