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

/** A norm, whose two steps can be taken one by one: forward(x) = weigh(normalize(x)). */
export interface Norm extends Layer {
  /** x [..., d] normalized, before the weight, in x's dtype. */
  normalize(x: Tensor): Tensor;
  /** Normalized values times the weight, plus the bias if there is one. */
  weigh(normalized: Tensor): Tensor;
}

/** An MLP. The tap sees `mlp_post`, if it has neurons. */
export interface MlpLayer {
  forward(x: Tensor, tap?: Tap): Tensor;
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

/** Layer normalization (Ba et al. 2016, arXiv:1607.06450), with weight and bias or without. */
export class LayerNorm implements Norm {
  constructor(
    private readonly weight: Tensor | null,
    private readonly bias: Tensor | null,
    private readonly eps: number,
  ) {}

  forward(x: Tensor): Tensor {
    return ops.layer_norm(x, [x.shape.at(-1)!], this.weight, this.bias, this.eps);
  }

  normalize(x: Tensor): Tensor {
    return ops.layer_norm(x, [x.shape.at(-1)!], null, null, this.eps);
  }

  weigh(normalized: Tensor): Tensor {
    const weighed = this.weight === null ? normalized : normalized.mul(this.weight);
    return this.bias === null ? weighed : weighed.add(this.bias);
  }
}

/** Layer normalization of each head, with a weight for each of its dimensions, [H, hd]. */
export class HeadLayerNorm implements Layer {
  constructor(
    private readonly weight: Tensor,
    private readonly eps: number,
  ) {}

  /** [b, T, H, hd] → the same. */
  forward(x: Tensor): Tensor {
    const exact = x.to({ dtype: 'float32' });
    return ops
      .layer_norm(exact, [x.shape.at(-1)!], null, null, this.eps)
      .mul(this.weight)
      .to({ dtype: x.dtype });
  }
}

/** Multiplies by a number. May overwrite x, so x must be a fresh output of a layer. */
export class Scale implements Layer {
  constructor(private readonly factor: number) {}

  forward(x: Tensor): Tensor {
    return x.mul_(this.factor);
  }
}

/**
 * Root mean square normalization (Zhang and Sennrich 2019, arXiv:1910.07467), computed in float32.
 * If the weight has x's dtype, the result is cast back before it is multiplied with the weight, as
 * in Llama; if the weight is float32, the product is cast back, as in Gemma and OLMo 2.
 */
export class RMSNorm implements Norm {
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

  normalize(x: Tensor): Tensor {
    const { dtype } = this.weight;
    const ones = ops.ones_like(this.weight);
    return kernels.rmsNorm(x.to({ dtype }), ones, this.eps).to({ dtype: x.dtype });
  }

  weigh(normalized: Tensor): Tensor {
    const { dtype } = this.weight;
    return normalized.to({ dtype }).mul(this.weight).to({ dtype: normalized.dtype });
  }
}

/** down(act(up x)). */
export class MLP implements MlpLayer {
  constructor(
    private readonly layers: { up: Layer; down: Layer },
    private readonly activation: MlpActivation,
  ) {}

  forward(x: Tensor, tap?: Tap): Tensor {
    const { up, down } = this.layers;
    const neurons = activate(up.forward(x), this.activation);
    return down.forward(tap === undefined ? neurons : tap('mlp_post', neurons));
  }
}

/** down(act(gate x) · up x) (Shazeer 2020, arXiv:2002.05202). */
export class GatedMLP implements MlpLayer {
  constructor(
    /** `gateAndUp` computes both projections of x, which may lie in one weight. */
    private readonly layers: { gateAndUp: (x: Tensor) => [gate: Tensor, up: Tensor]; down: Layer },
    private readonly activation: MlpActivation,
  ) {}

  forward(x: Tensor, tap?: Tap): Tensor {
    const [gate, up] = this.layers.gateAndUp(x);
    const hidden = activate(gate, this.activation).mul_(up);
    // The widest tensors of a block: each is freed as soon as it was read, not with the block's
    // other temporaries.
    up.dispose();
    if (tap !== undefined) return this.layers.down.forward(tap('mlp_post', hidden));
    const out = this.layers.down.forward(hidden);
    hidden.dispose();
    return out;
  }
}

/** Attention of any kind: [b, T, d] → [b, T, d]. The tap sees `attn_z`. */
export interface AttentionLayer {
  forward(x: Tensor, context: BatchContext, tap?: Tap): Tensor;
}

export type ProjectedHeads = [q: Tensor, k: Tensor, v: Tensor, gate?: Tensor];

export interface SelfAttentionLayers {
  /**
   * x [b, T, d] → q [b, T, H, hd], k and v [b, T, H_kv, hd]; and a gate [b, T, H, hd] in families
   * whose heads' outputs are multiplied with its sigmoid.
   */
  project: (x: Tensor, context: BatchContext) => ProjectedHeads;
  /** Norms of each head's queries and keys, applied before the rotation. */
  headNorms?: { q: Layer; k: Layer };
  /** Output projection, [b, T, H·hd] → [b, T, d]. */
  out: Layer;
}

export class SelfAttention implements AttentionLayer {
  constructor(
    private readonly layers: SelfAttentionLayers,
    private readonly options: AttentionOptions,
  ) {}

  /** [b, T, d] → [b, T, d]. The tap sees `attn_z`. */
  forward(x: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { project, headNorms, out } = this.layers;
    const [queries, keys, v, gate] = project(x, context);
    const q = headNorms === undefined ? queries : headNorms.q.forward(queries);
    const k = headNorms === undefined ? keys : headNorms.k.forward(keys);
    const heads = attend({ q, k, v }, context, this.options); // [b, T, H·hd]
    const z = gate === undefined ? heads : heads.mul_(gate.sigmoid().flatten(2));
    return out.forward(tap === undefined ? z : tap('attn_z', z));
  }
}
