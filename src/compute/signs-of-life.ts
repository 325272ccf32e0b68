/**
 * The host's side of watch-thread.ts: notices that a compute process is stopped (SIGSTOP, a machine
 * that thrashes) or hangs (a driver, a file system that does not answer). Only time in which this
 * process runs too is counted, so that a suspended machine loses nothing.
 */
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { lifeDescriptor } from './watch-thread.js';

export interface LifeLimits {
  /** Seconds without a sign of life after which the process is ended; 0: no limit. */
  silence: number;
  /** Seconds without work, though it sends signs of life, before it is ended; 0: no limit. */
  stall: number;
}

/** Threads send a sign each second; a driver may wait for a device for minutes. */
export const defaultLimits: LifeLimits = { silence: 30, stall: 600 };

const longestTick = 1000;

function seconds(text: string | undefined, otherwise: number): number {
  const number = text === undefined || text === '' ? Number.NaN : Number(text);
  return number >= 0 ? number : otherwise;
}

/** Limits of processes that no server started. */
export function limitsOfEnvironment(env: NodeJS.ProcessEnv = process.env): LifeLimits {
  return {
    silence: seconds(env['SAE_EVAL_COMPUTE_SILENCE'], defaultLimits.silence),
    stall: seconds(env['SAE_EVAL_COMPUTE_STALL'], defaultLimits.stall),
  };
}

export class SignsOfLife {
  #silence = 0;
  #idle = 0;
  readonly #timer: NodeJS.Timeout;

  /** @param onLost called once, with a sentence, when a limit is passed. */
  constructor(child: ChildProcess, limits: LifeLimits, onLost: (why: string) => void) {
    const pipe = child.stdio[lifeDescriptor] as Readable | null | undefined;
    pipe?.setEncoding('latin1').on('data', (text: string) => {
      this.#silence = 0;
      this.#idle = Number(text.trimEnd().split('\n').at(-1)) || 0;
    });
    pipe?.on('error', () => {});
    const shortest = Math.min(...[limits.silence, limits.stall].filter((limit) => limit > 0));
    const tick = Math.min(longestTick, shortest * 250);
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#silence += Math.min(now - last, 2 * tick) / 1000;
      last = now;
      const { silence, stall } = limits;
      const why =
        silence > 0 && this.#silence >= silence
          ? `The compute process gave no sign of life for ${silence} s (it is stopped, or the ` +
            'machine is out of memory) and was ended.'
          : stall > 0 && this.#idle >= stall
            ? `The compute process did nothing for ${stall} s (it hangs in a driver or in a file ` +
              'system) and was ended.'
            : null;
      if (why === null) return;
      this.stop();
      onLost(why);
    }, tick);
    this.#timer.unref();
  }

  /** Seconds since the last sign of life. */
  get silence(): number {
    return this.#silence;
  }

  /** Seconds without work, as of the last sign of life. */
  get idle(): number {
    return this.#idle;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
