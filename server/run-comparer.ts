/** Compares runs in pairs in a child process, so that other answers come meanwhile. */
import type { RunComparison } from '../src/schema/run-comparison.js';
import { FairGate, type Turn } from './fair-gate.js';
import { compareInChild } from './shards/run-tasks.js';

export interface ComparedSums {
  /** File of the sums. */
  path: string;
  /** Id of the evaluation. */
  name: string;
}

export class RunComparer {
  readonly #gate = new FairGate({
    atOnce: 2,
    atOncePerClient: 1,
    waiting: 100,
    waitingPerClient: 20,
    full: 'Too many runs are being compared; try again in a moment.',
  });

  constructor(private readonly options: { niceness: number }) {}

  /** @throws SaeEvalError `not-comparable`, `request-invalid`, `storage-damaged`, `unavailable`. */
  compare(
    base: ComparedSums,
    {
      others,
      metrics,
      turn,
    }: { others: readonly ComparedSums[]; metrics?: readonly string[] | undefined; turn: Turn },
  ): Promise<RunComparison> {
    return this.#gate.through(turn, (signal) =>
      compareInChild(
        {
          base,
          others: [...others],
          ...(metrics === undefined ? {} : { metrics: [...metrics] }),
        },
        { signal, niceness: this.options.niceness },
      ),
    );
  }

  close(): void {
    this.#gate.close();
  }
}
