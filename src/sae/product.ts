/**
 * The products SAEs are made of. In float32 they take most of the time of a run whose language
 * model computes in bfloat16, so such a run may compose them of bfloat16 products (the CPU's matrix
 * unit, accumulated in float32): a relative error of some 2⁻¹⁷, a hundredth of what the language
 * model's own rounding does.
 */
import {
  addLinear as plainAddLinear,
  kernels,
  linear as plainLinear,
  type Tensor,
} from '../torch/index.js';

/** How products of float32 numbers are computed. */
export type Products = 'float32' | 'bfloat16-parts';

let inParts = false;

/**
 * Decides it for what the SAEs of this thread compute in `body`, which runs at once: other runs and
 * callers keep theirs.
 */
export function withProducts<T>(products: Products, body: () => T): T {
  const before = inParts;
  inParts = products === 'bfloat16-parts';
  try {
    return body();
  } finally {
    inParts = before;
  }
}

/** Whether products are composed now. A factor that is one bfloat16 number spares a product. */
export function splitsFactors(): boolean {
  return inParts;
}

/**
 * What pays here: parts where the language model rounds to bfloat16 anyway and the CPU has a unit
 * for them.
 */
export function chooseProducts({
  dtype,
  saeDtype,
  device,
}: {
  dtype: string;
  saeDtype: string;
  device: string;
}): Products {
  return dtype === 'bfloat16' &&
    saeDtype === 'float32' &&
    device === 'cpu' &&
    kernels.hasBfloat16Unit()
    ? 'bfloat16-parts'
    : 'float32';
}

/** `x Wᵀ + b`: x [N, in], W [out, in] → [N, out]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  return inParts ? kernels.linearFromParts(x, weight, bias) : plainLinear(x, weight, bias);
}

/** `sum + x Wᵀ`. Takes `sum` over: only what is returned may be used afterwards. */
export function addLinear(sum: Tensor, x: Tensor, weight: Tensor): Tensor {
  return inParts ? sum.add_(kernels.linearFromParts(x, weight)) : plainAddLinear(sum, x, weight);
}
