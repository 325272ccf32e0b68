/**
 * Latents set to zero in documents' mean activations, as SAEBench does for perturbation and
 * removal: the reconstruction's error stays, so the mean changes by what these latents write, and a
 * linear probe's score by Σ_f z̄_f ⟨w, d_f⟩.
 */
import { fromTypedArray, ops, scope, type Tensor } from '../../torch/index.js';
import type { Dictionary } from '../../sae/index.js';
import { largestPlaces, type SparseRows } from '../../statistics/features.js';
import { ablationSizes } from '../../schema/index.js';

/** Latents whose decoder rows are made at a time. */
const blockLatents = 1024;

/** Calls with the decoder's rows, a block of latents at a time: [count, w] float64. */
function eachDecoderBlock(
  sae: Dictionary,
  device: string,
  use: (rows: Tensor, from: number, count: number) => void,
): void {
  const decoded = (from: number, count: number, value: number): Tensor => {
    const indices = ops.arange(from, from + count, 1, { dtype: 'int64', device }).unsqueeze(-1);
    const values = ops.full([count, 1], value, { dtype: 'float32', device });
    return sae.decode({ form: 'sparse', values, indices, m: sae.m });
  };
  for (let from = 0; from < sae.m; from += blockLatents) {
    const count = Math.min(blockLatents, sae.m - from);
    scope(() => {
      const rows = decoded(from, count, 1).sub(decoded(from, count, 0));
      use(rows.to({ dtype: 'float64' }), from, count);
      return null;
    });
  }
}

/** ⟨w, d_f⟩ of each weight vector and latent: [weights][m]. */
export function alongDecoder(
  sae: Dictionary,
  weights: readonly Float64Array[],
  device: string,
): Float64Array[] {
  const found = weights.map(() => new Float64Array(sae.m));
  if (weights.length === 0) return found;
  const flat = Float64Array.from(weights.flatMap((one) => [...one]));
  eachDecoderBlock(sae, device, (rows, from, count) => {
    const w = fromTypedArray(flat, [weights.length, weights[0]!.length], { device });
    const products = w.matmul(rows.t()).contiguous(); // [n, count]
    const values = products.toTypedArray() as Float64Array;
    found.forEach((one, n) => one.set(values.subarray(n * count, (n + 1) * count), from));
  });
  return found;
}

/** ‖d_f‖ of each latent: [m]. */
export function decoderNorms(sae: Dictionary, device: string): Float64Array {
  const norms = new Float64Array(sae.m);
  eachDecoderBlock(sae, device, (rows, from) =>
    norms.set(ops.linalg_vector_norm(rows, 2, [-1]).toTypedArray() as Float64Array, from),
  );
  return norms;
}

/** Place of each latent among the ones that are set to zero first; −1: none of them. */
export function ranksOf(effects: Float64Array): Int32Array {
  const most = Math.max(...ablationSizes);
  const ranks = new Int32Array(effects.length).fill(-1);
  const values = effects.map((effect) => (effect === 0 ? -Infinity : effect));
  largestPlaces(values, most).forEach((latent, rank) => {
    if (effects[latent] !== 0) ranks[latent] = rank;
  });
  return ranks;
}

/** The sizes up to that of the dictionary. */
export const sizesFor = (m: number): number[] => ablationSizes.filter((size) => size <= m);

/**
 * Losses of the probes' scores in a document if the first latents are set to zero: for each size
 * and probe.
 */
export function lostScores(
  { starts, columnAt, valueAt }: SparseRows,
  row: number,
  {
    ranks,
    along,
    sizes,
  }: {
    ranks: Int32Array;
    along: readonly Float64Array[];
    sizes: readonly number[];
  },
): Float64Array[] {
  const lost = sizes.map(() => new Float64Array(along.length));
  for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
    const latent = columnAt[entry]!;
    const rank = ranks[latent]!;
    const at = rank < 0 ? -1 : sizes.findIndex((size) => rank < size);
    if (at < 0) continue;
    along.forEach((one, probe) => {
      lost[at]![probe]! += valueAt[entry]! * one[latent]!;
    });
  }
  // Those of a smaller size are set to zero with a larger one too.
  for (let at = 1; at < sizes.length; at++)
    lost[at]!.forEach((_, probe) => (lost[at]![probe]! += lost[at - 1]![probe]!));
  return lost;
}
