/** The layers blocks are made of. Each owns nothing: the weights belong to the model. */
import { ops, type Tensor } from '../torch/index.js';
import { attend, type AttentionOptions, type BatchContext } from './attention.js';
import type { Activation } from './config.js';
import { rotate } from './rope.js';
import type { RopeConfig } from './rope-config.js';

export interface Layer {
  forward(x: Tensor): Tensor;
}

/** x Wᵀ + b, W [out, in]. */
export class Linear implements Layer {
  constructor(
    private readonly weight: Tensor,
    private readonly bias: Tensor | null = null,
  ) {}

  forward(x: Tensor): Tensor {
    return ops.linear(x, this.weight, this.bias);
  }
}

/** Root mean square normalisation (Zhang and Sennrich 2019, arXiv:1910.07467): in float32, back in x's dtype before the weight. */
export class RMSNorm implements Layer {
  constructor(
    private readonly weight: Tensor,
    private readonly eps: number,
  ) {}

  forward(x: Tensor): Tensor {
    if (x.dtype === 'float32') return ops.rms_norm(x, [x.shape.at(-1)!], this.weight, this.eps);
    const wide = x.to({ dtype: 'float32' });
    return ops.rms_norm(wide, [x.shape.at(-1)!], null, this.eps).to({ dtype: x.dtype }).mul(this.weight);
  }
}

export function activate(x: Tensor, activation: Activation): Tensor {
  switch (activation) {
    case 'silu':
      return x.silu();
    case 'relu':
      return x.relu();
    case 'gelu':
      return x.gelu();
    case 'gelu_tanh':
      return ops.gelu(x, { approximate: 'tanh' });
  }
}

/** down(act(gate x) · up x) (Shazeer 2020, arXiv:2002.05202). */
export class GatedMLP implements Layer {
  constructor(
    private readonly layers: { gate: Layer; up: Layer; down: Layer },
    private readonly activation: Activation,
  ) {}

  forward(x: Tensor): Tensor {
    const { gate, up, down } = this.layers;
    return down.forward(activate(gate.forward(x), this.activation).mul_(up.forward(x)));
  }
}

export interface SelfAttentionOptions extends AttentionOptions {
  heads: number;
  keyValueHeads: number;
  headDim: number;
  rope: RopeConfig | null;
  /** Normalise each head's queries and keys before they are rotated. */
  headNorms?: { q: Layer; k: Layer };
}

export class SelfAttention {
  constructor(
    /** `project` gives queries, keys and values of x [b, T, d]: [b, T, heads · hd] each. */
    private readonly layers: { project: (x: Tensor) => [q: Tensor, k: Tensor, v: Tensor]; out: Layer },
    private readonly options: SelfAttentionOptions,
  ) {}

  forward(x: Tensor, context: BatchContext): Tensor {
    const { heads, keyValueHeads, headDim, rope, headNorms } = this.options;
    const split = (of: Tensor, count: number): Tensor => of.unflatten(-1, [count, headDim]); // [b, T, H, hd]
    const [projectedQ, projectedK, projectedV] = this.layers.project(x);
    let q = split(projectedQ, heads);
    let k = split(projectedK, keyValueHeads);
    if (headNorms !== undefined) [q, k] = [headNorms.q.forward(q), headNorms.k.forward(k)];
    [q, k] = [q.transpose(1, 2), k.transpose(1, 2)]; // [b, H, T, hd]
    const v = split(projectedV, keyValueHeads).transpose(1, 2);
    if (rope !== null) {
      const table = context.rope(rope);
      [q, k] = [rotate(q, table), rotate(k, table)];
    }
    return this.layers.out.forward(attend({ q, k, v }, context, this.options));
  }
}
