/**
 * Gemma 3's text model (arXiv:2503.19786): Gemma 2's blocks without soft-capped attention, each
 * head's queries and keys normalised, five sliding layers to a full one, with rotary settings of
 * their own.
 */
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import type { Decoder } from './decoder.js';
import { GemmaDecoder, gemmaNorm, SandwichBlock } from './gemma2.js';
import { SelfAttention } from './layers.js';
import type { Weights } from './weights.js';

export function gemma3(config: ModelConfig, weights: Weights): Decoder {
  const build = new Builder(config, weights);
  const embedding = weights.take('embed_tokens.weight', [config.vocabulary, config.width]);
  return new GemmaDecoder(config, weights, {
    embedding,
    blocks: build.blocks(
      (i) =>
        new SandwichBlock({
          beforeAttention: gemmaNorm(build, `layers.${i}.input_layernorm`),
          attention: new SelfAttention(
            {
              project: build.separateHeads(`layers.${i}.self_attn`),
              headNorms: {
                q: gemmaNorm(build, `layers.${i}.self_attn.q_norm`, config.headDim),
                k: gemmaNorm(build, `layers.${i}.self_attn.k_norm`, config.headDim),
              },
              out: build.attentionOut(`layers.${i}.self_attn.o_proj`),
            },
            build.attentionOptions(i),
          ),
          afterAttention: gemmaNorm(build, `layers.${i}.post_attention_layernorm`),
          beforeMlp: gemmaNorm(build, `layers.${i}.pre_feedforward_layernorm`),
          mlp: build.gatedMLP(`layers.${i}.mlp`),
          afterMlp: gemmaNorm(build, `layers.${i}.post_feedforward_layernorm`),
        }),
    ),
    finalNorm: gemmaNorm(build, 'norm'),
    head: build.head('lm_head', embedding),
  });
}
