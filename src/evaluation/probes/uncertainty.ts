/** Accuracies with intervals: the bootstrap over documents, and the values of the folds. */
import { accuracyOf, type Judged } from '../../statistics/cross-validation.js';
import type { LabelTask } from '../../statistics/label-task.js';
import type { ProbeAccuracy } from '../../schema/index.js';
import { percentileInterval } from '../result/percentile-interval.js';
import { randomWords, stateOf } from '../result/random-words.js';

/** Resamples of a bootstrap. */
const resamples = 1000;

/** Fewest documents that have an interval. */
const fewest = 20;

export interface UncertaintyOptions {
  tasks: readonly LabelTask[];
  /** Fold of each document. */
  foldOf: Int32Array;
  folds: number;
  seed: number;
}

/** Times that each document is drawn: the same for all probes of a data set. */
function* drawn(count: number, seed: number): Generator<Uint16Array> {
  const word = randomWords(stateOf(seed));
  for (let n = 0; n < resamples; n++) {
    const times = new Uint16Array(count);
    for (let i = 0; i < count; i++) times[Math.floor((word() / 2 ** 32) * count)]!++;
    yield times;
  }
}

/** The interval of a value that is computed anew from each resample of the documents. */
export function resampledInterval(
  count: number,
  seed: number,
  value: (weightOf: (row: number) => number) => number,
): [number, number] | null {
  if (count < fewest) return null;
  const values: number[] = [];
  for (const times of drawn(count, seed)) {
    const found = value((row) => times[row]!);
    if (!Number.isNaN(found)) values.push(found);
  }
  return values.length === 0 ? null : percentileInterval(Float64Array.from(values));
}

export function withUncertainty(
  judged: Judged,
  { tasks, foldOf, folds, seed }: UncertaintyOptions,
): ProbeAccuracy {
  return {
    mean: accuracyOf(tasks, judged),
    ci95: resampledInterval(foldOf.length, seed, (weightOf) => accuracyOf(tasks, judged, weightOf)),
    folds: Array.from({ length: folds }, (_, fold) =>
      accuracyOf(tasks, judged, (row) => Number(foldOf[row] === fold)),
    ).filter((value) => !Number.isNaN(value)),
  };
}
