/** `pre(h)`, the normalisation in front of every SAE of the RouteSAE family, and its inverse. */
import { kernels, ops, type DType, type Tensor } from '../torch/index.js';

export interface Normalized {
  /** `(h − mean) / (std + 1e-6)` per token, in the SAE's dtype: [..., d]. */
  x: Tensor;
  /** Per token, in the language model's dtype: [..., 1]. */
  mean: Tensor;
  /** Unbiased (divides by d − 1): [..., 1]. */
  std: Tensor;
}

/** Normalises the residual stream h [..., d] in its own dtype, then casts to `dtype`. */
export function normalize(h: Tensor, dtype: DType): Normalized {
  const d = h.shape.at(-1)!;
  if (h.dtype === 'float32' && h.shape.length === 2) {
    const [x, mean, std] = kernels.standardize(h);
    return { x: dtype === 'float32' ? x : x.to({ dtype }), mean, std };
  }
  const mean = h.mean([-1], { keepdim: true }); // [..., 1]
  const centred = h.sub(mean);
  // [..., 1]
  const std = ops.linalg_vector_norm(centred, 2, [-1], { keepdim: true }).div(Math.sqrt(d - 1));
  const x = centred.div(std.add(1e-6));
  return { x: x.dtype === dtype ? x : x.to({ dtype }), mean, std };
}

/** `x̂ · std + mean`, cast back to the language model's dtype: no epsilon here. */
export function denormalize(reconstruction: Tensor, { mean, std }: Normalized): Tensor {
  const h = reconstruction.mul(std).add(mean);
  return h.dtype === mean.dtype ? h : h.to({ dtype: mean.dtype });
}
