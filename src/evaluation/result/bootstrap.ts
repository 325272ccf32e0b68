/**
 * Percentile bootstrap over sequences: 10,000 resamples with replacement, seeded, the same for
 * every SAE of a run. Each resample gives the sums of every column, from which a formula recomputes
 * its ratio.
 */
import { SaeEvalError } from '../../errors.js';
import { fromTypedArray, kernels, scope } from '../../torch/index.js';
import { isLoaded, native } from '../../torch/native.js';
import { stateOf, type GeneratorState } from './random-words.js';
import { resampledSums } from './resampled-sums.js';

export const resamples = 10_000;
/** Number of sequences below which there are no intervals. */
export const fewestSequences = 20;

/** Resampled sums: row r, column c at `r * columns + c`. */
export interface Resampled {
  readonly sums: Float64Array;
  readonly columns: number;
  readonly rows: number;
}

/** Products that JavaScript computes in less time than libtorch takes to load. */
const worthLoading = 5e8;

/**
 * Whether the addon computes: if it is loaded, or if loading it is worth the time and it is there.
 * The numbers are the same.
 */
function hasKernel(products: number): boolean {
  if (isLoaded()) return true;
  if (products < worthLoading) return false;
  try {
    native();
    return true;
  } catch (error) {
    if (error instanceof SaeEvalError && error.code === 'setup-missing') return false;
    throw error;
  }
}

/** Sums of each column over each resample of the sequences. All columns have the same length. */
export function resample(columns: readonly Float64Array[], seed: number): Resampled {
  const n = columns[0]?.length ?? 0;
  const state = stateOf(seed);
  const sums =
    n > 0 && hasKernel(resamples * n * columns.length)
      ? nativeSums(columns, state)
      : resampledSums(columns, state, resamples);
  return { sums, columns: columns.length, rows: resamples };
}

function nativeSums(columns: readonly Float64Array[], state: GeneratorState): Float64Array {
  let sums: Float64Array = new Float64Array();
  scope(() => {
    const tensors = columns.map((values) => fromTypedArray(values));
    sums = kernels.resampledSums(tensors, state, resamples).toTypedArray() as Float64Array;
    return null;
  });
  return sums;
}
