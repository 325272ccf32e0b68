/**
 * What stands between a site of the language model and an SAE: how activations become the SAE's
 * input, and a reconstruction activations again. The RouteSAE family has `pre(h)`; published SAEs
 * bring their own.
 */
import type { DType, Tensor } from '../torch/index.js';
import { denormalize, normalize } from './normalize.js';

/** Activations as an SAE reads them. */
export interface SaeInput {
  /** [N, d] in the SAE's dtype. */
  readonly x: Tensor;
  /**
   * x̂ [N, d] → activations in the language model's dtype. Uses the statistics of the activations
   * that gave `x`.
   */
  restore(reconstruction: Tensor): Tensor;
}

export interface InputNormalization {
  /** Equal for normalizations that give equal inputs: these are computed once for a site. */
  readonly key: string;
  /** h [N, d] in the language model's dtype. What it makes belongs to the scope around it. */
  apply(h: Tensor, dtype: DType): SaeInput;
}

/** `pre(h)` in the language model's dtype, as the protocols have it. */
export const pre: InputNormalization = {
  key: 'pre',
  apply(h, dtype) {
    const site = normalize(h, dtype);
    return { x: site.x, restore: (reconstruction) => denormalize(reconstruction, site) };
  },
};
