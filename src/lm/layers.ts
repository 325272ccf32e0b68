/** Layers that blocks are made of. A layer owns nothing: its weights belong to the model. */
import { kernels, linear, ops, type PackedWeights, type Tensor } from '../torch/index.js';
import { activate, type MlpActivation } from './activation.js';
import { attend } from './attention.js';
import type { AttentionOptions } from './attention-options.js';
import type { BatchContext } from './batch-context.js';
import type { Tap } from './model.js';

export interface Layer {
  forward(x: Tensor): Tensor;
}

/** x Wᵀ + b, W [out, in]. */
export class Linear implements Layer {
  constructor(
    private readonly weight: Tensor,
    private readonly bias: Tensor | null,
    private readonly packed: PackedWeights,
  ) {}

  /** x [..., in] → [..., out], or the `count` outputs from `from` on. */
  forward(x: Tensor, outputs?: { from: number; count: number }): Tensor {
    return linear(x, this.weight, this.bias, { outputs, packed: this.packed });
  }
}

/** Layer normalization with weight and bias (Ba et al. 2016, arXiv:1607.06450). */
export class LayerNorm implements Layer {
  constructor(
    private readonly weight: Tensor,
    private readonly bias: Tensor,
    private readonly eps: number,
  ) {}

  forward(x: Tensor): Tensor {
    return ops.layer_norm(x, [x.shape.at(-1)!], this.weight, this.bias, this.eps);
  }
}

/**
 * Root mean square normalization (Zhang and Sennrich 2019, arXiv:1910.07467), computed in float32.
 * If the weight has x's dtype, the result is cast back before it is multiplied with the weight, as
 * in Llama; if the weight is float32, the product is cast back, as in Gemma and OLMo 2.
 */
export class RMSNorm implements Layer {
  constructor(
    private readonly weight: Tensor,
    private readonly eps: number,
  ) {}

  forward(x: Tensor): Tensor {
    if (this.weight.dtype === x.dtype) return kernels.rmsNorm(x, this.weight, this.eps);
    return kernels
      .rmsNorm(x.to({ dtype: this.weight.dtype }), this.weight, this.eps)
      .to({ dtype: x.dtype });
  }
}

/** down(act(up x)). */
export class MLP implements Layer {
  constructor(
    private readonly layers: { up: Layer; down: Layer },
    private readonly activation: MlpActivation,
  ) {}

  forward(x: Tensor): Tensor {
    const { up, down } = this.layers;
    return down.forward(activate(up.forward(x), this.activation));
  }
}

/** down(act(gate x) · up x) (Shazeer 2020, arXiv:2002.05202). */
export class GatedMLP implements Layer {
  constructor(
    /** `gateAndUp` computes both projections of x, which may lie in one weight. */
    private readonly layers: { gateAndUp: (x: Tensor) => [gate: Tensor, up: Tensor]; down: Layer },
    private readonly activation: MlpActivation,
  ) {}

  forward(x: Tensor): Tensor {
    const [gate, up] = this.layers.gateAndUp(x);
    const hidden = activate(gate, this.activation).mul_(up);
    // The widest tensors of a block: each is freed as soon as it was read, not with the block's
    // other temporaries.
    up.dispose();
    const out = this.layers.down.forward(hidden);
    hidden.dispose();
    return out;
  }
}

export interface SelfAttentionLayers {
  /** x [b, T, d] → q [b, T, H, hd], k and v [b, T, H_kv, hd]. */
  project: (x: Tensor) => [q: Tensor, k: Tensor, v: Tensor];
  /** Norms of each head's queries and keys, applied before the rotation. */
  headNorms?: { q: Layer; k: Layer };
  /** Output projection, [b, T, H·hd] → [b, T, d]. */
  out: Layer;
}

export class SelfAttention {
  constructor(
    private readonly layers: SelfAttentionLayers,
    private readonly options: AttentionOptions,
  ) {}

  /** [b, T, d] → [b, T, d]. The tap sees `attn_z`. */
  forward(x: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { project, headNorms, out } = this.layers;
    const [queries, keys, v] = project(x);
    const q = headNorms === undefined ? queries : headNorms.q.forward(queries);
    const k = headNorms === undefined ? keys : headNorms.k.forward(keys);
    const z = attend({ q, k, v }, context, this.options); // [b, T, H·hd]
    return out.forward(tap === undefined ? z : tap('attn_z', z));
  }
}
