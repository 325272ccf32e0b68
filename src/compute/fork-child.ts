/**
 * Starts the compute process, which then loads libtorch by itself. Imports very little, so that a
 * command can start the process before it loads anything else.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { entryFile } from '../entry.js';
import { childEnvironment } from '../inspect/child-environment.js';
import { computeEnvironment, computeFlags } from '../torch/tuning.js';
import { hasPreloads, preloads } from './preloads.js';
import { lifeVariable } from './watch-thread.js';

/** How weights come into memory: src/checkpoint/weights-file.ts. */
export type WeightMode = 'auto' | 'map' | 'read';

export interface ForkOptions {
  /** Niceness that is added to this process's own, 0…19; default 0. */
  niceness?: number;
  /** Default: what the environment of this process says. */
  weights?: WeightMode;
}

export function forkChild({ niceness = 0, weights }: ForkOptions = {}): ChildProcess {
  return fork(entryFile('src/compute/child.js'), {
    // The last pipe has the signs of life of watch-thread.ts.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
    env: {
      ...computeEnvironment,
      // A module that was loaded ahead may be an OpenTelemetry SDK, with settings of its own.
      ...childEnvironment({ also: hasPreloads() ? ['OTEL_*'] : [] }),
      ...(weights === undefined ? {} : { SAE_EVAL_WEIGHTS: weights }),
      SAE_EVAL_PROCESS_NICE: String(niceness),
      SAE_EVAL_PROCESS_PARENT: String(process.pid),
      [lifeVariable]: '1',
    },
    execArgv: [...computeFlags, ...preloads(process.execArgv)],
  });
}
