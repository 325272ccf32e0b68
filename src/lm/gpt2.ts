/**
 * GPT-2 (Radford et al. 2019): learned positions, layer norms, biases everywhere, weights stored
 * [in, out].
 */
import { scope, type Tensor } from '../torch/index.js';
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import { Decoder, type DecoderParts } from './decoder.js';
import { MLP, SelfAttention } from './layers.js';
import { PreNormBlock } from './llama.js';
import type { Weights } from './weights.js';

class GPT2 extends Decoder {
  constructor(
    config: ModelConfig,
    weights: Weights,
    parts: DecoderParts,
    private readonly positions: Tensor, // [maxPositions, d]
  ) {
    super(config, weights, parts);
  }

  override embed(ids: Tensor): Tensor {
    // [B, T, d]
    return scope(() => super.embed(ids).add_(this.positions.narrow(0, 0, ids.shape[1]!)));
  }
}

export function gpt2(config: ModelConfig, weights: Weights): Decoder {
  const build = new Builder(config, weights);
  const { width: d, heads, headDim, mlpWidth, vocabulary } = config;

  const attention = (i: number): SelfAttention => {
    const qkv = build.linearTransposed(`h.${i}.attn.c_attn`, { from: d, to: 3 * d, bias: true });
    return new SelfAttention(
      {
        project: (x) =>
          qkv.forward(x).unflatten(-1, [3, heads, headDim]).unbind(2) as [Tensor, Tensor, Tensor],
        out: build.linearTransposed(`h.${i}.attn.c_proj`, { from: d, to: d, bias: true }),
      },
      build.attentionOptions(i),
    );
  };
  const mlp = (i: number): MLP =>
    new MLP(
      {
        up: build.linearTransposed(`h.${i}.mlp.c_fc`, { from: d, to: mlpWidth, bias: true }),
        down: build.linearTransposed(`h.${i}.mlp.c_proj`, { from: mlpWidth, to: d, bias: true }),
      },
      config.activation,
    );

  const embedding = weights.take('wte.weight', [vocabulary, d]);
  const parts: DecoderParts = {
    embedding,
    blocks: build.blocks(
      (i) =>
        new PreNormBlock({
          attentionNorm: build.layerNorm(`h.${i}.ln_1`),
          attention: attention(i),
          mlpNorm: build.layerNorm(`h.${i}.ln_2`),
          mlp: mlp(i),
        }),
    ),
    finalNorm: build.layerNorm('ln_f'),
    head: build.head('lm_head', embedding),
  };
  return new GPT2(config, weights, parts, weights.take('wpe.weight', [config.maxPositions, d]));
}
