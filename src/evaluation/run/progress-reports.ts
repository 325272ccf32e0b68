/** Tells the progress of a run, and how long it has computed. */
import type { SampleStream } from '../../data/index.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import type { Progress } from '../../schema/index.js';

export interface ProgressReportsOptions {
  accumulator: Accumulator;
  /** Text of the run, with what it knows of itself so far. */
  stream: Pick<SampleStream, 'total' | 'summary'>;
  /** Milliseconds between reports within a batch, at least. */
  interval: number;
  /** Compute time of earlier parts of the run. */
  secondsBefore: number;
  onProgress?: (progress: Progress) => void;
}

export class ProgressReports {
  readonly #options: ProgressReportsOptions;
  readonly #began = performance.now();
  /** Samples of earlier parts, which say nothing about the speed. */
  readonly #before: number;
  #last = this.#began;

  constructor(options: ProgressReportsOptions) {
    this.#options = options;
    this.#before = options.accumulator.sequences;
  }

  /** Compute time so far, earlier parts included. */
  get seconds(): number {
    return this.#options.secondsBefore + (performance.now() - this.#began) / 1000;
  }

  /** After `done` samples of a batch. */
  within(done: number): void {
    if (performance.now() - this.#last >= this.#options.interval) this.tell(done);
  }

  /** After a batch, or `done` samples of the next one. */
  tell(done = 0): void {
    const { accumulator, stream, onProgress } = this.#options;
    this.#last = performance.now();
    const samples = accumulator.sequences + done;
    const rate = (samples - this.#before) / Math.max((this.#last - this.#began) / 1000, 1e-9);
    onProgress?.({
      samples,
      total: stream.total,
      batches: accumulator.batchSizes.length,
      samplesPerSecond: rate,
      secondsLeft: stream.total === null ? null : Math.max(stream.total - samples, 0) / rate,
      truncatedTokens: stream.summary.truncatedTokens,
      skipped: stream.summary.skipped,
    });
  }
}
