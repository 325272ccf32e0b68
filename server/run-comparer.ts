/**
 * Compares runs in pairs in a child process, so that other answers come meanwhile. It has a bounded
 * memory, by the sizes of the files, and a bounded time.
 */
import { stat } from 'node:fs/promises';
import { asSaeEvalError, SaeEvalError } from '../src/errors.js';
import { hidePaths } from '../src/evaluation/request/path-table.js';
import type { RunComparison } from '../src/schema/run-comparison.js';
import { systemMemory } from '../src/evaluation/run/device-memory.js';
import { FairGate, type Turn } from './fair-gate.js';
import { compareInChild } from './shards/run-tasks.js';

export interface ComparedSums {
  /** File of the sums. */
  path: string;
  /** Id of the evaluation. */
  name: string;
}

export interface RunComparerOptions {
  niceness: number;
  /** Most bytes of all sums of a comparison; default an eighth of the memory. */
  mostBytes?: number;
  /** Milliseconds that one may take. */
  longestMs?: number;
}

const tooLarge = (what: string): SaeEvalError =>
  new SaeEvalError(
    'request-invalid',
    `others: ${what}; compare fewer evaluations, or compare them with \`sae-eval compare\``,
    { fields: [{ path: 'others', message: what }] },
  );

export class RunComparer {
  readonly #gate = new FairGate({
    atOnce: 2,
    atOncePerClient: 1,
    waiting: 100,
    waitingPerClient: 20,
    full: 'Too many runs are being compared; try again in a moment.',
  });

  constructor(private readonly options: RunComparerOptions) {}

  /** @throws SaeEvalError `not-comparable`, `request-invalid`, `storage-damaged`, `unavailable`. */
  compare(
    base: ComparedSums,
    {
      others,
      metrics,
      turn,
    }: { others: readonly ComparedSums[]; metrics?: readonly string[] | undefined; turn: Turn },
  ): Promise<RunComparison> {
    return this.#gate.through(turn, async (signal) => {
      const { longestMs = 600_000, niceness } = this.options;
      const longest = AbortSignal.timeout(longestMs);
      try {
        await this.#refuseIfLarge([base, ...others]);
        return await compareInChild(
          {
            base,
            others: [...others],
            ...(metrics === undefined ? {} : { metrics: [...metrics] }),
          },
          { signal: AbortSignal.any([signal, longest]), niceness },
        );
      } catch (thrown) {
        if (longest.aborted && !signal.aborted)
          throw tooLarge(`the comparison takes more than ${longestMs / 1000} s`);
        // One may have been removed meanwhile; where the store lies is nobody's business.
        const named = [base, ...others].map(({ name, path }) => ({ name, path, within: [] }));
        throw hidePaths(asSaeEvalError(thrown, 'The comparison'), named);
      }
    });
  }

  /** Columns are read whole, and joined once more for each pair. */
  async #refuseIfLarge(sums: readonly ComparedSums[]): Promise<void> {
    const { mostBytes = systemMemory().totalBytes / 8 } = this.options;
    const sizes = await Promise.all(sums.map(({ path }) => stat(path)));
    const bytes = sizes.reduce((sum, { size }) => sum + size, 0);
    if (bytes > mostBytes)
      throw tooLarge(
        `the sums have ${Math.ceil(bytes / 1e6)} MB, more than the ` +
          `${Math.floor(mostBytes / 1e6)} MB that a comparison may take`,
      );
  }

  close(): void {
    this.#gate.close();
  }
}
