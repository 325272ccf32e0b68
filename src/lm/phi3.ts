/**
 * Phi-3 (arXiv:2404.14219): Llama's blocks with queries, keys and values in one weight, gate and up
 * in another.
 */
import type { Tensor } from '../torch/index.js';
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import type { Decoder } from './decoder.js';
import { GatedMLP, SelfAttention } from './layers.js';
import { PreNormBlock } from './llama.js';
import type { Weights } from './weights.js';

export function phi3(config: ModelConfig, weights: Weights): Decoder {
  const build = new Builder(config, weights);
  const { width: d, heads, keyValueHeads, headDim, mlpWidth } = config;

  const attention = (i: number): SelfAttention => {
    const counts = [heads, keyValueHeads, keyValueHeads];
    const qkv = build.linear(`layers.${i}.self_attn.qkv_proj`, {
      from: d,
      to: (heads + 2 * keyValueHeads) * headDim,
      bias: false,
    });
    return new SelfAttention(
      {
        project: (x) =>
          qkv
            .forward(x)
            .unflatten(-1, [heads + 2 * keyValueHeads, headDim])
            .split_with_sizes(counts, 2) as [Tensor, Tensor, Tensor],
        out: build.attentionOut(`layers.${i}.self_attn.o_proj`),
      },
      build.attentionOptions(i),
    );
  };
  const mlp = (i: number): GatedMLP => {
    const both = build.linear(`layers.${i}.mlp.gate_up_proj`, {
      from: d,
      to: 2 * mlpWidth,
      bias: false,
    });
    return new GatedMLP(
      {
        gateAndUp: (x) => both.forward(x).chunk(2, -1) as [Tensor, Tensor],
        down: build.linear(`layers.${i}.mlp.down_proj`, { from: mlpWidth, to: d, bias: false }),
      },
      config.activation,
    );
  };

  return build.decoder(
    (i) =>
      new PreNormBlock({
        attentionNorm: build.rmsNorm(`layers.${i}.input_layernorm`),
        attention: attention(i),
        mlpNorm: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
        mlp: mlp(i),
      }),
  );
}
