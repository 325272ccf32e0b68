/** The layers blocks are made of. Each owns nothing: the weights belong to the model. */
import { kernels, linear, ops, type PackedWeights, type Tensor } from '../torch/index.js';
import { attend, type AttentionOptions, type BatchContext } from './attention.js';
import type { Activation } from './config.js';
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

  /** Of all outputs, or of a range of them. */
  forward(x: Tensor, outputs?: { from: number; count: number }): Tensor {
    return linear(x, this.weight, this.bias, { outputs, packed: this.packed });
  }
}

/** Mean and variance normalisation with weight and bias (Ba et al. 2016, arXiv:1607.06450). */
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
 * Root mean square normalisation (Zhang and Sennrich 2019, arXiv:1910.07467), in float32 whatever x
 * is. The result is cast back before the weight is applied, as Llama does; a weight in float32 is
 * applied before it is cast back, as Gemma and OLMo 2 do.
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

/** In place: x is a layer's fresh output. */
export function activate(x: Tensor, activation: Activation): Tensor {
  switch (activation) {
    case 'silu':
      return x.silu_();
    case 'relu':
      return x.relu_();
    case 'gelu':
      return x.gelu_();
    case 'gelu_tanh':
      return x.gelu_({ approximate: 'tanh' });
    case 'gelu_10':
      return x.gelu_().clamp_(-10, 10);
    case 'quick_gelu':
      return x.mul_(x.mul(1.702).sigmoid_());
    case 'relu2':
      return x.relu_().square_();
    case 'relu6':
      return x.clamp_(0, 6);
    case 'leaky_relu':
      return x.leaky_relu_();
    case 'mish':
      return x.mish_();
    case 'hardswish':
      return x.hardswish_();
    case 'tanh':
      return x.tanh_();
    case 'sigmoid':
      return x.sigmoid_();
    case 'linear':
      return x;
  }
}

/** down(act(up x)). */
export class MLP implements Layer {
  constructor(
    private readonly layers: { up: Layer; down: Layer },
    private readonly activation: Activation,
  ) {}

  forward(x: Tensor): Tensor {
    const { up, down } = this.layers;
    return down.forward(activate(up.forward(x), this.activation));
  }
}

/** down(act(gate x) · up x) (Shazeer 2020, arXiv:2002.05202); `gateAndUp` gives the two of x. */
export class GatedMLP implements Layer {
  constructor(
    private readonly layers: { gateAndUp: (x: Tensor) => [gate: Tensor, up: Tensor]; down: Layer },
    private readonly activation: Activation,
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
  /** Of x [b, T, d]: q [b, T, H, hd], k and v [b, T, H_kv, hd]. */
  project: (x: Tensor) => [q: Tensor, k: Tensor, v: Tensor];
  /** Of each head's queries and keys, before they are rotated. */
  headNorms?: { q: Layer; k: Layer };
  /** [b, T, H·hd] → [b, T, d]. */
  out: Layer;
}

export class SelfAttention {
  constructor(
    private readonly layers: SelfAttentionLayers,
    private readonly options: AttentionOptions,
  ) {}

  forward(x: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { project, headNorms, out } = this.layers;
    const [queries, keys, v] = project(x);
    const q = headNorms === undefined ? queries : headNorms.q.forward(queries);
    const k = headNorms === undefined ? keys : headNorms.k.forward(keys);
    const z = attend({ q, k, v }, context, this.options); // [b, T, H·hd]
    return out.forward(tap === undefined ? z : tap('attn_z', z));
  }
}
