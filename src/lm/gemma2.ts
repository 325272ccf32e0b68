/**
 * Gemma 2 (arXiv:2408.00118): embeddings scaled by √d, norms before and after attention and MLP
 * whose weights count from one, soft-capped attention and logits, every other layer sliding.
 */
import { scope, type Tensor } from '../torch/index.js';
import type { BatchContext } from './attention.js';
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import { addToResidual, Decoder, type Block } from './decoder.js';
import { RMSNorm, SelfAttention, type Layer } from './layers.js';
import type { Tap } from './model.js';
import type { Weights } from './weights.js';

export class SandwichBlock implements Block {
  constructor(
    private readonly layers: {
      beforeAttention: Layer;
      attention: SelfAttention;
      afterAttention: Layer;
      beforeMlp: Layer;
      mlp: Layer;
      afterMlp: Layer;
    },
  ) {}

  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { beforeAttention, attention, afterAttention, beforeMlp, mlp, afterMlp } = this.layers;
    const added = addToResidual(
      r,
      afterAttention.forward(attention.forward(beforeAttention.forward(r), context, tap)),
      'attn_out',
      tap,
    ); // [b, T, d]
    const h = tap === undefined ? added : tap('resid_mid', added);
    return addToResidual(h, afterMlp.forward(mlp.forward(beforeMlp.forward(h))), 'mlp_out', tap);
  }
}

export class GemmaDecoder extends Decoder {
  override embed(ids: Tensor): Tensor {
    return scope(() => {
      const r = super.embed(ids); // [B, T, d]
      // The factor is rounded to the model's dtype first: √3072 is 55.5 in bfloat16.
      const scale = r.new_full([], Math.sqrt(this.width));
      return r.mul_(scale);
    });
  }
}

/** Gemma's norm multiplies by 1 + weight, in float32. */
export function gemmaNorm(
  { config, weights }: Builder,
  name: string,
  width = config.width,
): RMSNorm {
  const weight = weights.take(`${name}.weight`, [width]);
  return new RMSNorm(
    weights.own(scope(() => weight.to({ dtype: 'float32' }).add(1))),
    config.normEps,
  );
}

export function gemma2(config: ModelConfig, weights: Weights): Decoder {
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
