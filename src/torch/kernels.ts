/**
 * Operators of our own, for work that takes ATen many passes over memory. They are registered with
 * the dispatcher as `sae_eval::…`. On devices without a kernel of ours, they are compositions of
 * ATen operators, except for {@link Kernels.attend}.
 */
import { operatorTable } from './ops.js';
import type { Tensor } from './tensor.js';

interface Kernels {
  /**
   * Adds logits of the vocabulary from token `from` on, clean [n, Vc] and of lanes [lanes, n, Vc],
   * to running sums [lanes, n, 7] float64, in place. The sums are the maximum and Σ exp of clean,
   * both of the lane, Σ exp(clean) (clean − lane), and both logits of the next token (`labels`
   * [n]).
   * All lanes of `sums` in one call must have seen the same clean logits before.
   */
  addLogits(sums: Tensor, clean: Tensor, spliced: Tensor, labels: Tensor, from: number): Tensor;

  /**
   * Causal attention of batches padded on the right, on the CPU alone: q [n·B, T, H, hd], k and v
   * [n·B, T, H_kv, hd] → [n·B, T, H·hd], for n copies of B sequences of the given real lengths.
   * Padded queries see all real keys. q and k are rotated by `cosines` and `sines` [T, ≤ hd] unless
   * these are null. A `window` above 0 limits the keys that a query sees, its own included.
   * `unpadded`: the sequences of a copy lie one after the other in one row, [n, T, …], and fill it;
   * row t of the cosines and sines is that of the row's position t.
   */
  attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    lengths: readonly number[],
    cosines: Tensor | null,
    sines: Tensor | null,
    scale: number,
    options?: { window?: number; unpadded?: boolean },
  ): Tensor;

  /** `(h − mean) / (std + 1e-6)` of rows h [n, d] float32, with mean and unbiased std [n, 1]. */
  standardize(h: Tensor): [x: Tensor, mean: Tensor, std: Tensor];

  /**
   * `x / √(mean(x²) + eps) · weight` over the last dimension. Sums are at least float32. The
   * quotient is cast to the weight's dtype before the weight is applied.
   */
  rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor;

  /**
   * `x Wᵀ + b` of float32 numbers: x [n, k], W [m, k] → [n, m]. On a CPU with a bfloat16 matrix
   * unit it is composed of bfloat16 products, with a relative error of about 2⁻¹⁷; elsewhere it is
   * one float32 product.
   */
  linearFromParts(x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor;

  /** Whether this CPU has the matrix unit of {@link Kernels.linearFromParts}. */
  hasBfloat16Unit(): boolean;

  /**
   * Whether oneDNN multiplies float32 matrices with wider vectors on this CPU than libtorch's own
   * products do.
   */
  onednnIsWider(): boolean;

  /**
   * The k largest numbers of each row of a [n, m] float32 and their columns, in no promised order:
   * [n, k] each.
   */
  keepLargest(a: Tensor, k: number): [values: Tensor, indices: Tensor];

  /** Σ x², Σ (y − x)², Σ y² and Σ x y of each row of x and y [n, d]: [4, n] float64. */
  rowProducts(x: Tensor, y: Tensor): Tensor;

  /**
   * Sums of columns [n] float64 on the CPU over bootstrap resamples: [resamples, columns]. Each
   * resample takes n draws of the generator (xorshift128) whose four words `state` holds. Bits
   * depend neither on the CPU nor on the number of threads.
   */
  resampledSums(columns: readonly Tensor[], state: readonly number[], resamples: number): Tensor;
}

export const kernels = operatorTable<Kernels>({
  addLogits: 'sae_eval::compare_logits_',
  attend: 'sae_eval::attend',
  standardize: 'sae_eval::standardize',
  rmsNorm: 'sae_eval::rms_norm',
  linearFromParts: 'sae_eval::linear_from_parts',
  hasBfloat16Unit: 'sae_eval::has_bfloat16_unit',
  onednnIsWider: 'sae_eval::onednn_is_wider',
  keepLargest: 'sae_eval::keep_largest',
  rowProducts: 'sae_eval::row_products',
  resampledSums: 'sae_eval::resampled_sums',
});
