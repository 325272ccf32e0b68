/**
 * OLMo 2 (arXiv:2501.00656): norms after attention and MLP instead of before, queries and keys
 * normalised over all heads together, norm weights applied in float32.
 */
import type { Tensor } from '../torch/index.js';
import type { BatchContext } from './attention.js';
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import { addToResidual, Decoder, type Block } from './decoder.js';
import { RMSNorm, SelfAttention, type Layer } from './layers.js';
import type { Tap } from './model.js';
import type { Weights } from './weights.js';

class PostNormBlock implements Block {
  constructor(
    private readonly layers: {
      attention: SelfAttention;
      attentionNorm: Layer;
      mlp: Layer;
      mlpNorm: Layer;
    },
  ) {}

  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { attention, attentionNorm, mlp, mlpNorm } = this.layers;
    const added = addToResidual(
      r,
      attentionNorm.forward(attention.forward(r, context, tap)),
      'attn_out',
      tap,
    ); // [b, T, d]
    const h = tap === undefined ? added : tap('resid_mid', added);
    return addToResidual(h, mlpNorm.forward(mlp.forward(h)), 'mlp_out', tap);
  }
}

export function olmo2(config: ModelConfig, weights: Weights): Decoder {
  const build = new Builder(config, weights);
  const { width: d, heads, keyValueHeads, headDim, vocabulary } = config;

  const norm = (name: string, width = d): RMSNorm => {
    const weight = weights.take(`${name}.weight`, [width]);
    return new RMSNorm(
      weight.dtype === 'float32' ? weight : weights.own(weight.to({ dtype: 'float32' })),
      config.normEps,
    );
  };
  const attention = (i: number): SelfAttention => {
    const at = `layers.${i}.self_attn`;
    const project = build.separateHeads(at);
    const qNorm = norm(`${at}.q_norm`, heads * headDim);
    const kNorm = norm(`${at}.k_norm`, keyValueHeads * headDim);
    const overHeads = (layer: Layer, x: Tensor): Tensor =>
      layer.forward(x.flatten(2)).unflatten(-1, [-1, headDim]);
    return new SelfAttention(
      {
        project: (x) => {
          const [q, k, v] = project(x);
          return [overHeads(qNorm, q), overHeads(kNorm, k), v];
        },
        out: build.attentionOut(`${at}.o_proj`),
      },
      build.attentionOptions(i),
    );
  };

  const embedding = weights.take('embed_tokens.weight', [vocabulary, d]);
  return new Decoder(config, weights, {
    embedding,
    blocks: build.blocks(
      (i) =>
        new PostNormBlock({
          attention: attention(i),
          attentionNorm: norm(`layers.${i}.post_attention_layernorm`),
          mlp: build.gatedMLP(`layers.${i}.mlp`),
          mlpNorm: norm(`layers.${i}.post_feedforward_layernorm`),
        }),
    ),
    finalNorm: norm('norm'),
    head: build.head('lm_head', embedding),
  });
}
