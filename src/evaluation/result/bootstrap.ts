/**
 * Percentile bootstrap over sequences: 10,000 resamples with replacement, seeded, the same for
 * every SAE of a run. Each resample gives the sums of every column, from which a formula recomputes
 * its ratio.
 */
import { fromTypedArray, ops, scope } from '../../torch/index.js';

export const resamples = 10_000;
/** Number of sequences below which there are no intervals. */
export const fewestSequences = 20;

/** xorshift128 (Marsaglia, 2003), with its state mixed from the seed: 32-bit whole numbers. */
function randomWords(seed: number): () => number {
  let counter = seed >>> 0;
  const mix = (): number => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let z = counter;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) | 0;
  };
  let x = mix();
  let y = mix();
  let z = mix() ^ Math.floor(seed / 2 ** 32);
  let w = mix() | 1;
  return () => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return w >>> 0;
  };
}

/** Resampled sums: row r, column c at `r * columns + c`. */
export interface Resampled {
  readonly sums: Float64Array;
  readonly columns: number;
  readonly rows: number;
}

/** Sums of each column over each resample of the sequences. All columns have the same length. */
export function resample(columns: readonly Float64Array[], seed: number): Resampled {
  const n = columns[0]?.length ?? 0;
  const sums = new Float64Array(resamples * columns.length);
  if (n === 0) return { sums, columns: columns.length, rows: resamples };
  const word = randomWords(seed);
  const chunk = Math.max(1, Math.min(resamples, Math.floor(4e6 / n)));
  const flat = new Float64Array(n * columns.length);
  columns.forEach((values, c) =>
    values.forEach((value, i) => (flat[i * columns.length + c] = value)),
  );
  scope(() => {
    const data = fromTypedArray(flat, [n, columns.length]); // [n, C]
    for (let from = 0; from < resamples; from += chunk) {
      const rows = Math.min(chunk, resamples - from);
      const counts = new Float64Array(rows * n);
      for (let row = 0; row < rows; row++) {
        for (let draw = 0; draw < n; draw++)
          counts[row * n + Math.floor(word() * (n / 2 ** 32))]! += 1;
      }
      scope(() => {
        sums.set(
          ops.matmul(fromTypedArray(counts, [rows, n]), data).toTypedArray() as Float64Array,
          from * columns.length,
        );
        return null;
      });
    }
    return null;
  });
  return { sums, columns: columns.length, rows: resamples };
}

/** The 2.5 and 97.5 percentiles, interpolated linearly. */
export function percentileInterval(values: Float64Array): [number, number] {
  const sorted = values.slice().sort();
  const at = (q: number): number => {
    const position = q * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below]! + (sorted[above]! - sorted[below]!) * (position - below);
  };
  return [at(0.025), at(0.975)];
}
