/** Computes batches one after the other into an accumulator: the one loop of every run. */
import type { Bilingual } from '../../bilingual.js';
import type { Sample } from '../../data/index.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import { synchronize } from '../../torch/index.js';
import type { Engine } from '../engine/engine.js';
import { memoryShort } from './cuda-device.js';
import type { InputFiles } from './input-files.js';
import type { Decisions } from './journal.js';
import type { JournalKeeper } from './journal-keeper.js';
import type { WeightCache } from './weight-cache.js';

export interface BatchesOptions {
  engine: Engine;
  accumulator: Accumulator;
  /** Index in the run of the accumulator's first sample. */
  first: number;
  device: string;
  /** Gets the smaller micro-batch if memory runs out. */
  decisions: Decisions;
  files: InputFiles;
  cache: WeightCache;
  keeper: JournalKeeper;
  signal?: AbortSignal | undefined;
  /** Stops after the micro-batch under way. */
  stop?: AbortSignal | undefined;
  notice: (text: Bilingual) => void;
  /** Samples of the batch under way that are done. */
  onMicroBatch: (samples: number) => void;
  /** A batch was finished. */
  onBatch: () => void;
}

/**
 * Computes all batches.
 * @returns the samples that were read and not done; null if it was not stopped.
 */
export async function computeBatches(
  batches: AsyncIterable<readonly Sample[]>,
  {
    engine,
    accumulator,
    first,
    device,
    decisions,
    files,
    cache,
    keeper,
    signal,
    stop,
    notice,
    onMicroBatch,
    onBatch,
  }: BatchesOptions,
): Promise<readonly Sample[] | null> {
  let isShort = false;
  const computed = engine.each(batches, {
    first: first + accumulator.sequences,
    signal,
    stop,
    makeRoom: () => cache.clear() > 0,
    onSmaller: (microBatch) => {
      decisions.microBatch = microBatch;
      if (!isShort) notice(memoryShort(device));
      isShort = true;
    },
    onFewer: (superBatch) => {
      decisions.superBatch = superBatch;
    },
    onMicroBatch,
  });
  for await (const { sums, left } of computed) {
    if (left !== null) {
      // A run that continues begins with a whole batch.
      keeper.keep();
      keeper.end();
      accumulator.merge(sums);
      return left;
    }
    accumulator.merge(sums);
    synchronize(device);
    files.checkNowAndThen();
    keeper.writeIfDue();
    onBatch();
  }
  return null;
}
