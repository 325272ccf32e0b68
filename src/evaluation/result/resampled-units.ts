/**
 * Units that the bootstrap draws: sequences or, in large runs, whole batches. Drawing takes time
 * and memory for each of them, and above some number an interval has no more to gain. Batches are
 * consecutive parts of the text, so what neighbors have in common widens an interval, as it should.
 */
import type { Bilingual } from '../../bilingual.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import { fewestSequences } from './bootstrap.js';

/** Number of sequences above which batches are drawn. */
export const batchesAbove = 200_000;

/** Number of batches that are drawn; null if sequences are. */
export function drawnBatches(
  { sequences, batchSizes }: Pick<Accumulator, 'sequences' | 'batchSizes'>,
  above: number = batchesAbove,
): number | null {
  const isLarge = sequences > above && batchSizes.length >= fewestSequences;
  return isLarge ? batchSizes.length : null;
}

/** Sums of a column over each batch, in the order of the sequences. */
function batchSums(column: Float64Array, batchSizes: readonly number[]): Float64Array {
  let at = 0;
  return Float64Array.from(batchSizes, (size) => {
    let total = 0;
    for (const end = at + size; at < end; at++) total += column[at]!;
    return total;
  });
}

/** Name of the column that holds the sequences of each batch, if batches are drawn. */
export const sequencesColumn = 'sequences';

/** The columns of these names that there are, with a value for each sequence or batch. */
export function drawnColumns(
  accumulator: Accumulator,
  names: readonly string[],
  above: number = batchesAbove,
): Map<string, Float64Array> {
  const { batchSizes, sequences } = accumulator;
  const isOfBatches = drawnBatches(accumulator, above) !== null;
  const columns = new Map<string, Float64Array>();
  for (const name of names) {
    const column = accumulator.column(name);
    if (column?.length !== sequences) continue;
    columns.set(name, isOfBatches ? batchSums(column, batchSizes) : column);
  }
  if (isOfBatches) columns.set(sequencesColumn, Float64Array.from(batchSizes));
  return columns;
}

/** Remark for the result. */
export function aboutBatches(batches: number, above: number = batchesAbove): Bilingual {
  return {
    en:
      `There are more than ${above.toLocaleString('en')} samples, so the 95 % intervals resample ` +
      `the ${batches.toLocaleString('en')} batches instead of the sequences.`,
    zh:
      `样本数超过 ${above.toLocaleString('en')}，因此 95% 置信区间以 ` +
      `${batches.toLocaleString('en')} 个批次（而非序列）为单位重采样。`,
  };
}
