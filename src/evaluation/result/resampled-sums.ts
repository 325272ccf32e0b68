/**
 * Sums of columns over bootstrap resamples: their definition, which needs no addon. The sum of a
 * column over a resample is ((0 + c₀v₀) + c₁v₁) + …, in the order of the sequences, for counts c of
 * a resample and values v of the column. Each product and each sum is rounded to float64.
 * `native/src/kernels/resampled_sums.cc` computes the same bits faster.
 */
import { randomWords, type GeneratorState } from './random-words.js';

/** Columns that are summed together: V8 keeps so many sums in registers. */
const together = 8;

/** Values of the columns, `together` columns side by side: [panels, n, together]. */
function packed(columns: readonly Float64Array[], n: number): Float64Array[] {
  return Array.from({ length: Math.ceil(columns.length / together) }, (_, panel) => {
    const values = new Float64Array(n * together);
    for (const [lane, column] of columns.slice(panel * together, (panel + 1) * together).entries())
      for (let i = 0; i < n; i++) values[i * together + lane] = column[i]!;
    return values;
  });
}

/**
 * Sums of the panel's columns over the sequences that were drawn. The others add 0, which changes
 * no sum: it begins at +0, so it is never −0.
 */
function addPanel(
  values: Float64Array,
  { drawn, times, size }: { drawn: Int32Array; times: Float64Array; size: number },
  sums: Float64Array,
): void {
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let k = 0; k < size; k++) {
    const at = drawn[k]!;
    const count = times[k]!;
    a += count * values[at]!;
    b += count * values[at + 1]!;
    c += count * values[at + 2]!;
    d += count * values[at + 3]!;
    e += count * values[at + 4]!;
    f += count * values[at + 5]!;
    g += count * values[at + 6]!;
    h += count * values[at + 7]!;
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
  sums[4] = e;
  sums[5] = f;
  sums[6] = g;
  sums[7] = h;
}

/**
 * Sum of each column (row r, column c at `r * columns + c`) over each resample of `n` draws. All
 * columns have the same length.
 */
export function resampledSums(
  columns: readonly Float64Array[],
  state: GeneratorState,
  resamples: number,
): Float64Array {
  const n = columns[0]?.length ?? 0;
  const result = new Float64Array(resamples * columns.length);
  if (n === 0) return result;
  const panels = packed(columns, n);
  // 0 · ∞ and 0 · NaN are NaN: a sequence that was not drawn counts too.
  const beyond = columns.map((column) =>
    column.reduce<number[]>((found, value, i) => {
      if (!Number.isFinite(value)) found.push(i);
      return found;
    }, []),
  );
  const hasBeyond = beyond.flatMap((found, column) => (found.length > 0 ? [column] : []));
  const word = randomWords(state);
  const scale = n / 2 ** 32;
  const counts = new Int32Array(n);
  const drawn = new Int32Array(n);
  const times = new Float64Array(n);
  const sums = new Float64Array(together);
  for (let row = 0; row < resamples; row++) {
    counts.fill(0);
    for (let draw = 0; draw < n; draw++) counts[Math.floor(word() * scale)]! += 1;
    let size = 0;
    for (let i = 0; i < n; i++)
      if (counts[i] !== 0) {
        drawn[size] = i * together;
        times[size++] = counts[i]!;
      }
    const from = row * columns.length;
    for (const [panel, values] of panels.entries()) {
      addPanel(values, { drawn, times, size }, sums);
      for (let lane = 0; lane < together && panel * together + lane < columns.length; lane++) {
        const sum = sums[lane]!;
        // The sign and the payload of NaN depend on the CPU.
        result[from + panel * together + lane] = Number.isNaN(sum) ? NaN : sum;
      }
    }
    for (const column of hasBeyond)
      if (beyond[column]!.some((i) => counts[i] === 0)) result[from + column] = NaN;
  }
  return result;
}
