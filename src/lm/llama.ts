/**
 * Llama 2 and 3 (Touvron et al. 2023, arXiv:2307.09288; arXiv:2407.21783): pre-norm blocks, rotary positions, grouped
 * queries, gated MLP. With its options (biases, a head dimension of its own, a separate head) also what is built like it.
 */
import type { Tensor } from '../torch/index.js';
import type { BatchContext } from './attention.js';
import type { ModelConfig } from './config.js';
import { Decoder, type Block } from './decoder.js';
import { GatedMLP, Linear, RMSNorm, SelfAttention, type Layer } from './layers.js';
import type { Weights } from './weights.js';

/** h = r + attention(norm(r)), then h + mlp(norm(h)). */
export class LlamaBlock implements Block {
  constructor(
    private readonly layers: { attentionNorm: Layer; attention: SelfAttention; mlpNorm: Layer; mlp: Layer },
  ) {}

  forward(r: Tensor, context: BatchContext): Tensor {
    const { attentionNorm, attention, mlpNorm, mlp } = this.layers;
    const h = attention.forward(attentionNorm.forward(r), context).add_(r); // [n·B, T, d]
    return mlp.forward(mlpNorm.forward(h)).add_(h);
  }
}

/** Weight names as Hugging Face has them, after `model.`; `i` counts from 0. */
export class LlamaLayers {
  constructor(
    private readonly config: ModelConfig,
    private readonly weights: Weights,
  ) {}

  norm(name: string, width = this.config.width): RMSNorm {
    return new RMSNorm(this.weights.take(`${name}.weight`, [width]), this.config.normEps);
  }

  linear(name: string, { from, to, bias }: { from: number; to: number; bias: boolean }): Linear {
    return new Linear(this.weights.take(`${name}.weight`, [to, from]), this.weights.takeIf(bias, `${name}.bias`, [to]));
  }

  attention(i: number, { qkvBias = this.config.attentionBias, outBias = this.config.attentionBias, headNorms = false } = {}): SelfAttention {
    const { width: d, heads, keyValueHeads, headDim, ropes, windows, attentionScale: scale, attentionSoftcap: softcap } = this.config;
    const at = `layers.${i}.self_attn`;
    const q = this.linear(`${at}.q_proj`, { from: d, to: heads * headDim, bias: qkvBias });
    const k = this.linear(`${at}.k_proj`, { from: d, to: keyValueHeads * headDim, bias: qkvBias });
    const v = this.linear(`${at}.v_proj`, { from: d, to: keyValueHeads * headDim, bias: qkvBias });
    return new SelfAttention(
      {
        project: (x) => [q.forward(x), k.forward(x), v.forward(x)],
        out: this.linear(`${at}.o_proj`, { from: heads * headDim, to: d, bias: outBias }),
      },
      {
        heads, keyValueHeads, headDim, scale, softcap, rope: ropes[i]!, window: windows[i]!,
        ...(headNorms ? { headNorms: { q: this.norm(`${at}.q_norm`, headDim), k: this.norm(`${at}.k_norm`, headDim) } } : {}),
      },
    );
  }

  mlp(i: number): GatedMLP {
    const { width: d, mlpWidth, mlpBias: bias, activation } = this.config;
    const at = `layers.${i}.mlp`;
    return new GatedMLP(
      {
        gate: this.linear(`${at}.gate_proj`, { from: d, to: mlpWidth, bias }),
        up: this.linear(`${at}.up_proj`, { from: d, to: mlpWidth, bias }),
        down: this.linear(`${at}.down_proj`, { from: mlpWidth, to: d, bias }),
      },
      activation,
    );
  }

  /** The whole model around its blocks. */
  decoder(block: (i: number) => Block): Decoder {
    const { width: d, vocabulary: V, layers, tiedHead } = this.config;
    const embedding = this.weights.take('embed_tokens.weight', [V, d]);
    return new Decoder(this.config, this.weights, {
      embedding,
      blocks: Array.from({ length: layers }, (_, i) => block(i)),
      finalNorm: this.norm('norm'),
      head: new Linear(tiedHead ? embedding : this.weights.take('lm_head.weight', [V, d])),
    });
  }
}

export function llama(config: ModelConfig, weights: Weights): Decoder {
  const layers = new LlamaLayers(config, weights);
  return layers.decoder((i) => new LlamaBlock({
    attentionNorm: layers.norm(`layers.${i}.input_layernorm`),
    attention: layers.attention(i),
    mlpNorm: layers.norm(`layers.${i}.post_attention_layernorm`),
    mlp: layers.mlp(i),
  }));
}
