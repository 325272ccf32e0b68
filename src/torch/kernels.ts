/**
 * Operators of our own, for what ATen makes many passes over memory of. They are registered with
 * the dispatcher as `sae_eval::…`; on devices without a kernel they are compositions of ATen
 * operators, but for {@link attend}.
 */
import { operator } from './ops.js';
import type { Tensor } from './tensor.js';

/**
 * Adds logits of the vocabulary from token `from` on, clean [n, Vc] and of lanes [lanes, n, Vc], to
 * running sums [lanes, n, 7] float64, in place: maximum and Σ exp of clean, of the lane, Σ
 * exp(clean) (clean − lane), both logits of the next token (`labels` [n]). The lanes of one call
 * have been compared with the same clean logits before.
 */
export const addLogits = operator('sae_eval::compare_logits_') as (
  sums: Tensor,
  clean: Tensor,
  spliced: Tensor,
  labels: Tensor,
  from: number,
) => Tensor;

/**
 * Causal attention of batches padded on the right, CPU alone: q [n·B, T, H, hd], k and v [n·B, T,
 * H_kv, hd] → [n·B, T, H·hd], n copies of B sequences of the given real lengths. Padded queries see
 * all real keys. q and k are rotated by `cosines` and `sines` [T, ≤ hd] where there are any;
 * `window` > 0 limits how many keys a query sees, itself included.
 */
export const attend = operator('sae_eval::attend') as (
  q: Tensor,
  k: Tensor,
  v: Tensor,
  lengths: readonly number[],
  cosines: Tensor | null,
  sines: Tensor | null,
  scale: number,
  options?: { window: number },
) => Tensor;

/** `(h − mean) / (std + 1e-6)` of rows h [n, d] float32, with mean and unbiased std [n, 1]. */
export const standardize = operator('sae_eval::standardize') as (
  h: Tensor,
) => [x: Tensor, mean: Tensor, std: Tensor];

/**
 * `x / √(mean(x²) + eps) · weight` over the last dimension. Sums are float32 at least; what is
 * divided is cast to the weight's dtype before the weight is applied.
 */
export const rmsNorm = operator('sae_eval::rms_norm') as (
  x: Tensor,
  weight: Tensor,
  eps: number,
) => Tensor;

/**
 * `x Wᵀ + b` of float32 numbers, composed of bfloat16 products with a relative error of some 2⁻¹⁷
 * where the CPU has a matrix unit for them, plainly elsewhere: x [n, k], W [m, k] → [n, m].
 */
export const linearFromParts = operator('sae_eval::linear_from_parts') as (
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
) => Tensor;

/** Whether {@link linearFromParts} has that unit here. */
export const hasBfloat16Unit = operator('sae_eval::has_bfloat16_unit') as () => boolean;

/**
 * `silu(gate) · up` in place of gate, of one shape and dtype; in half precision rounded between the
 * two, as two operators do.
 */
export const siluProduct = operator('sae_eval::silu_product_') as (
  gate: Tensor,
  up: Tensor,
) => Tensor;

/** xᵀ of a matrix [n, m], row-major: [m, n]. */
export const transposed = operator('sae_eval::transposed') as (x: Tensor) => Tensor;

/**
 * Whether oneDNN multiplies float32 matrices with wider vectors than libtorch's own products take
 * on this CPU.
 */
export const onednnIsWider = operator('sae_eval::onednn_is_wider') as () => boolean;

/**
 * How many of libtorch's threads the loop of a kernel is divided among: all of them, unless the
 * addon was built without OpenMP.
 */
export const kernelThreads = operator('sae_eval::kernel_threads') as () => number;

/**
 * The k largest of each row of a [n, m] float32 and where they stand, in no promised order: [n, k]
 * each.
 */
export const keepLargest = operator('sae_eval::keep_largest') as (
  a: Tensor,
  k: number,
) => [values: Tensor, indices: Tensor];
