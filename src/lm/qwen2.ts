/**
 * Qwen 2 and 2.5 (arXiv:2407.10671): Llama's blocks with biases on queries, keys and values; upper
 * layers may slide.
 */
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import type { Decoder } from './decoder.js';
import { SelfAttention } from './layers.js';
import { PreNormBlock } from './llama.js';
import type { Weights } from './weights.js';

export function qwen2(config: ModelConfig, weights: Weights): Decoder {
  const build = new Builder(config, weights);
  return build.decoder(
    (i) =>
      new PreNormBlock({
        attentionNorm: build.rmsNorm(`layers.${i}.input_layernorm`),
        attention: new SelfAttention(
          {
            project: build.separateHeads(`layers.${i}.self_attn`),
            out: build.attentionOut(`layers.${i}.self_attn.o_proj`, { bias: false }),
          },
          build.attentionOptions(i),
        ),
        mlpNorm: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
        mlp: build.gatedMLP(`layers.${i}.mlp`),
      }),
  );
}
