/**
 * Qwen 3 (arXiv:2505.09388): Llama's blocks, each head's queries and keys normalised before they
 * are rotated.
 */
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import type { Decoder } from './decoder.js';
import { SelfAttention } from './layers.js';
import { PreNormBlock } from './llama.js';
import type { Weights } from './weights.js';

export function qwen3(config: ModelConfig, weights: Weights): Decoder {
  const build = new Builder(config, weights);
  return build.decoder(
    (i) =>
      new PreNormBlock({
        attentionNorm: build.rmsNorm(`layers.${i}.input_layernorm`),
        attention: new SelfAttention(
          {
            project: build.separateHeads(`layers.${i}.self_attn`),
            headNorms: {
              q: build.rmsNorm(`layers.${i}.self_attn.q_norm`, config.headDim),
              k: build.rmsNorm(`layers.${i}.self_attn.k_norm`, config.headDim),
            },
            out: build.attentionOut(`layers.${i}.self_attn.o_proj`),
          },
          build.attentionOptions(i),
        ),
        mlpNorm: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
        mlp: build.gatedMLP(`layers.${i}.mlp`),
      }),
  );
}
