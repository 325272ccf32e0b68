/**
 * The products that SAEs are made of. In float32 they take most of the time of a run whose language
 * model computes in bfloat16, so such a run may compose them of bfloat16 products (the CPU's matrix
 * unit, accumulated in float32): a relative error of some 2⁻¹⁷, a hundredth of the error of the
 * language model's own rounding.
 */
import { addLinear, kernels, linear, type Tensor } from '../torch/index.js';

/** The way in which products of float32 numbers are computed. */
export type ProductKind = 'float32' | 'bfloat16-parts';

export interface Products {
  /** Whether a factor that is one bfloat16 number spares a product. */
  readonly splitsFactors: boolean;
  /** `x Wᵀ + b`: x [N, in], W [out, in] → [N, out]. */
  linear(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor;
  /** `sum + x Wᵀ`. Takes `sum` over: only the tensor returned may be used afterwards. */
  addLinear(sum: Tensor, x: Tensor, weight: Tensor): Tensor;
}

export const products: Readonly<Record<ProductKind, Products>> = {
  float32: {
    splitsFactors: false,
    linear: (x, weight, bias) => linear(x, weight, bias),
    addLinear,
  },
  'bfloat16-parts': {
    splitsFactors: true,
    linear: (x, weight, bias) => kernels.linearFromParts(x, weight, bias),
    addLinear: (sum, x, weight) => sum.add_(kernels.linearFromParts(x, weight)),
  },
};

/**
 * The products that pay: parts if the language model rounds to bfloat16 anyway and the CPU has a
 * matrix unit for them.
 */
export function chooseProducts({
  dtype,
  saeDtype,
  device,
}: {
  dtype: string;
  saeDtype: string;
  device: string;
}): ProductKind {
  const rounds = dtype === 'bfloat16' && saeDtype === 'float32' && device === 'cpu';
  return rounds && kernels.hasBfloat16Unit() ? 'bfloat16-parts' : 'float32';
}
