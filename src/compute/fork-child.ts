/**
 * Starts the compute process, which then loads libtorch by itself. Needs nothing but Node, so that
 * it can be started first of all.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../inspect/child-environment.js';

export interface ForkOptions {
  /** Added to the environment of the process. */
  env?: Record<string, string>;
  /** Niceness of the process, 0…19; default 0. */
  niceness?: number;
}

export function forkChild({ env, niceness = 0 }: ForkOptions = {}): ChildProcess {
  return fork(fileURLToPath(new URL('./child.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Waiting threads sleep: two processes that spin on the same cores would slow each other down
    // many times over.
    env: {
      OMP_WAIT_POLICY: 'PASSIVE',
      ...childEnvironment(),
      SAE_EVAL_PROCESS_NICE: String(niceness),
      ...env,
    },
    // The process computes in native memory: a small young generation keeps its heap from growing
    // with the first jobs.
    execArgv: ['--expose-gc', '--max-semi-space-size=2', ...preloads(process.execArgv)],
  });
}

/**
 * `--import` and `--require` of this process's command line, such as an OpenTelemetry SDK's: a
 * forked process has its own.
 */
function preloads(flags: readonly string[]): string[] {
  return flags.flatMap((flag, index) => {
    if (/^--(import|require)=/.test(flag)) return [flag];
    const value = flags[index + 1];
    return /^(--import|--require|-r)$/.test(flag) && value !== undefined ? [flag, value] : [];
  });
}
