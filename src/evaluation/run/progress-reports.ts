/** Tells the progress of a run, and how long it has computed. */
import type { SampleStream } from '../../data/index.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import type { Progress } from '../../schema/index.js';
import { sameWork, workOf, type SampleWork } from './sample-work.js';
import { timeLeft, type Amount } from './time-left.js';

export interface ProgressReportsOptions {
  accumulator: Accumulator;
  /** Text of the run, with what it knows of itself so far. */
  stream: Pick<SampleStream, 'total' | 'summary'>;
  /** Milliseconds between reports within a batch, at least. */
  interval: number;
  /** Compute time of earlier parts of the run. */
  secondsBefore: number;
  /** Work of the samples, compared with each other; default: they are alike. */
  work?: SampleWork;
  /** The blocks that are brought in; default none. */
  brought?: BroughtBlocks;
  onProgress?: (progress: Progress) => void;
}

/** Blocks of the language model that are brought in, if its weights do not fit. */
export interface BroughtBlocks {
  /** Number of blocks so far in this process, and seconds that were spent on waiting for them. */
  soFar(): { blocks: number; waited: number };
  /** Most blocks for the first samples of the run: as many if each text fills its sequence. */
  forFirst(samples: number): number;
}

const noBlocks: BroughtBlocks = {
  soFar: () => ({ blocks: 0, waited: 0 }),
  forFirst: () => 0,
};

/** A moment of the run. */
interface Moment {
  samples: number;
  at: number;
  blocks: number;
  waited: number;
}

export class ProgressReports {
  readonly #options: ProgressReportsOptions;
  readonly #began = performance.now();
  /** Samples of earlier parts, which say nothing about the speed. */
  readonly #before: number;
  #last = this.#began;
  readonly #start: Moment;
  /** Most samples that were told. */
  #told = 0;
  /** Share of the planned blocks that was needed so far, since short texts go together. */
  #blocksShare = 1;
  /** The end of the first batch after which all samples are done that are spliced. */
  #border: Moment | null = null;

  constructor(options: ProgressReportsOptions) {
    this.#options = options;
    this.#before = options.accumulator.sequences;
    this.#start = { samples: this.#before, at: this.#began, blocks: 0, waited: 0 };
  }

  /** Compute time so far, earlier parts included. */
  get seconds(): number {
    return this.#options.secondsBefore + (performance.now() - this.#began) / 1000;
  }

  /** After `done` samples of a batch. */
  within(done: number): void {
    if (performance.now() - this.#last >= this.#options.interval) this.#report(done, false);
  }

  /** After a batch. */
  tell(): void {
    this.#report(0, true);
  }

  #report(done: number, isBatchEnd: boolean): void {
    const { accumulator, stream, onProgress } = this.#options;
    const { work = sameWork, brought = noBlocks } = this.#options;
    this.#last = performance.now();
    // Batches that went through the blocks together are told one after the other.
    const samples = (this.#told = Math.max(this.#told, accumulator.sequences + done));
    const now = { samples, at: this.#last, ...brought.soFar() };
    // Within a batch, samples of both kinds may be under way together.
    if (isBatchEnd && samples >= work.spliced) this.#border ??= now;
    const planned = this.#blocksFor(samples);
    if (isBatchEnd && planned > 0) this.#blocksShare = Math.min(1, now.blocks / planned);
    const rate = (samples - this.#before) / Math.max((this.#last - this.#began) / 1000, 1e-9);
    onProgress?.({
      samples,
      total: stream.total,
      batches: accumulator.batchSizes.length,
      samplesPerSecond: rate,
      secondsLeft: stream.total === null ? null : this.#left(now, stream.total),
      truncatedTokens: stream.summary.truncatedTokens,
      skipped: stream.summary.skipped,
    });
  }

  /** Most blocks for the samples of this part up to a number. */
  #blocksFor(samples: number): number {
    const { brought = noBlocks } = this.#options;
    return brought.forFirst(samples) - brought.forFirst(this.#before);
  }

  #left(now: Moment, total: number): number | null {
    const { work = sameWork } = this.#options;
    const { samples } = now;
    // Samples that are only measured tell their own pace, as soon as there are any.
    const from =
      this.#border !== null && samples > this.#border.samples ? this.#border : this.#start;
    const done: Amount = {
      work: workOf(from.samples, samples, work),
      blocks: now.blocks - from.blocks,
    };
    const left: Amount = {
      work: workOf(Math.min(samples, total), total, work),
      blocks: Math.max(0, this.#blocksShare * this.#blocksFor(total) - now.blocks),
    };
    const spent = { seconds: (now.at - from.at) / 1000, waited: now.waited - from.waited };
    return timeLeft({ ...done, ...spent }, left);
  }
}
