/**
 * Linear attention of Qwen3-Next and Qwen3.5: a short causal convolution, the gated delta rule
 * (arXiv:2412.06464), and a norm behind a gate. Computed in float32, a chunk of positions of some
 * sequences at a time, so that memory does not grow with the batch.
 *
 * A sequence's state depends on its own earlier positions alone. Padding is on the right, so no
 * real position sees it; padded positions read zeros, as in transformers.
 */
import { kernels, ops, scope, type Tensor } from '../torch/index.js';
import { activate, type MlpActivation } from './activation.js';
import { blockBytes } from './attention-blocks.js';
import type { BatchContext } from './batch-context.js';
import { deltaRule, type Chunk } from './delta-rule.js';
import type { DeltaNetConfig } from './delta-net-config.js';
import type { AttentionLayer, Layer } from './layers.js';
import type { Tap } from './model.js';

/** Positions of a chunk: as many as transformers takes, and the published kernels. */
const chunkLength = 64;

/** The projections of a block's input. */
export interface DeltaNetInputs {
  /** Queries, keys and values of all heads, before the convolution. */
  qkv: Tensor; // [b, T, 2·H_k·d_k + H_v·d_v]
  /** Gate of the norm. */
  z: Tensor; // [b, T, H_v, d_v]
  /** Learning rate β before its sigmoid. */
  b: Tensor; // [b, T, H_v]
  /** Decay before its softplus. */
  a: Tensor; // [b, T, H_v]
}

export interface DeltaNetLayers {
  project: (x: Tensor) => DeltaNetInputs;
  /** Weights of the convolution, the last for a position itself: float32. */
  convolution: Tensor; // [K, 2·H_k·d_k + H_v·d_v]
  /** −exp(A_log), float32. */
  decayRate: Tensor; // [H_v]
  /** Bias of the decay, float32. */
  decayBias: Tensor; // [H_v]
  /** Weight of the norm of each head, float32. */
  norm: Tensor; // [d_v]
  out: Layer;
}

export interface DeltaNetOptions extends DeltaNetConfig {
  activation: MlpActivation;
  normEps: number;
  /** Bytes that the temporaries of one group of sequences may take. */
  groupBytes?: number;
}

/** x / ‖x‖ over the last dimension. */
function normalized(x: Tensor): Tensor {
  return x.mul(x.square().sum([-1], true).add_(1e-6).rsqrt_());
}

export class GatedDeltaNet implements AttentionLayer {
  constructor(
    private readonly layers: DeltaNetLayers,
    private readonly options: DeltaNetOptions,
  ) {}

  /** [n·B, T, d] → [n·B, T, d]. The tap sees `attn_z`, [n·B, T, H_v·d_v]. */
  forward(x: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const z = scope(() => this.#mix(this.layers.project(realOnly(x, context))));
    return this.layers.out.forward(tap === undefined ? z : tap('attn_z', z));
  }

  #mix(inputs: DeltaNetInputs): Tensor {
    const rows = inputs.qkv.shape[0]!;
    const { groupBytes = blockBytes } = this.options;
    const together = Math.max(1, Math.floor(groupBytes / this.#bytesPerRow(inputs.qkv.shape[1]!)));
    const parts: Tensor[] = [];
    for (let from = 0; from < rows; from += together) {
      const count = Math.min(together, rows - from);
      const own = (t: Tensor): Tensor => t.narrow(0, from, count);
      const { qkv, z, b, a } = inputs;
      parts.push(scope(() => this.#scan({ qkv: own(qkv), z: own(z), b: own(b), a: own(a) })));
    }
    return parts.length === 1 ? parts[0]! : ops.cat(parts, 0); // [n·B, T, H_v·d_v]
  }

  /** Bytes that a chunk of one sequence takes, of float32 temporaries. */
  #bytesPerRow(T: number): number {
    const { keyHeads, keyDim, valueHeads, valueDim } = this.options;
    const c = Math.min(T, chunkLength);
    const each = valueHeads * (6 * keyDim + 8 * valueDim + 4 * c) + 6 * keyHeads * keyDim;
    return 4 * (c * each + 3 * valueHeads * keyDim * valueDim);
  }

  /** Positions of some sequences, chunk by chunk: [b, T, H_v·d_v]. */
  #scan(inputs: DeltaNetInputs): Tensor {
    const T = inputs.qkv.shape[1]!;
    const { dtype } = inputs.qkv;
    const parts: Tensor[] = [];
    let state: Tensor | null = null;
    for (let from = 0; from < T; from += chunkLength) {
      const count = Math.min(chunkLength, T - from);
      const before: Tensor | null = state;
      const made = scope(() => {
        const { out, state: after } = deltaRule(this.#chunk(inputs, from, count), before);
        const heads = out.permute([0, 3, 1, 2, 4]).flatten(2, 3); // [b, c, H_v, d_v]
        const gate = inputs.z.narrow(1, from, count).to({ dtype: 'float32' });
        const normed = kernels.rmsNorm(heads.contiguous(), this.layers.norm, this.options.normEps);
        return { z: normed.mul_(gate.silu()).flatten(2).to({ dtype }), after };
      });
      before?.dispose();
      parts.push(made.z);
      state = made.after;
    }
    state?.dispose();
    return parts.length === 1 ? parts[0]! : ops.cat(parts, 1);
  }

  /** Queries, keys and values behind the convolution, with decays and learning rates. */
  #chunk({ qkv, a, b }: DeltaNetInputs, from: number, count: number): Chunk {
    const { keyHeads, keyDim, valueHeads, valueDim } = this.options;
    const perKey = valueHeads / keyHeads;
    const sizes = [keyHeads * keyDim, keyHeads * keyDim, valueHeads * valueDim];
    const mixed = this.#convolve(qkv, from, count); // [b, c, …]
    const [q, k, v] = mixed.split_with_sizes(sizes, -1) as [Tensor, Tensor, Tensor];
    const byKey = (x: Tensor): Tensor =>
      normalized(x.unflatten(-1, [keyHeads, keyDim]).transpose(1, 2)).unsqueeze(2);
    const byValue = (x: Tensor): Tensor =>
      x.narrow(1, from, count).to({ dtype: 'float32' }).unflatten(-1, [keyHeads, perKey]);
    const { decayRate, decayBias } = this.layers;
    const decay = byValue(a)
      .add(decayBias.view([keyHeads, perKey]))
      .softplus()
      .mul_(decayRate.view([keyHeads, perKey])); // [b, c, H_k, r]
    return {
      q: byKey(q).mul_(keyDim ** -0.5),
      k: byKey(k),
      v: v.unflatten(-1, [keyHeads, perKey, valueDim]).permute([0, 2, 3, 1, 4]),
      decay: decay.permute([0, 2, 3, 1]),
      beta: byValue(b).sigmoid().permute([0, 2, 3, 1]),
    };
  }

  /** Causal convolution of each channel, and its activation: [b, count, channels] float32. */
  #convolve(qkv: Tensor, from: number, count: number): Tensor {
    const { convolution } = this.layers;
    const kernel = convolution.shape[0]!;
    const first = Math.max(0, from - (kernel - 1));
    const seen = qkv.narrow(1, first, from + count - first).to({ dtype: 'float32' });
    const missing = kernel - 1 - (from - first);
    const whole = missing === 0 ? seen : ops.constant_pad_nd(seen, [0, 0, missing, 0]);
    const sum = whole.narrow(1, 0, count).mul(convolution.select(0, 0));
    for (let j = 1; j < kernel; j++)
      sum.addcmul_(whole.narrow(1, j, count), convolution.select(0, j));
    return activate(sum, this.options.activation);
  }
}

/** x with zeros at padded positions, if somebody reads those. */
function realOnly(x: Tensor, context: BatchContext): Tensor {
  if (!context.paddedQueries) return x;
  const B = context.lengths.length;
  const isReal = context.isReal.squeeze(-1); // [B, T, 1]
  return x.unflatten(0, [-1, B]).mul(isReal).flatten(0, 1);
}
