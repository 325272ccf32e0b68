/**
 * GPT-NeoX (Black et al. 2022, arXiv:2204.06745), the architecture of Pythia: attention and MLP
 * read the same residual stream side by side, a share of each head is rotated, queries, keys and
 * values lie together head by head.
 */
import type { Tensor } from '../torch/index.js';
import type { BatchContext } from './attention.js';
import { Builder } from './builder.js';
import type { ModelConfig } from './config.js';
import { addToResidual, Decoder, type Block } from './decoder.js';
import { MLP, SelfAttention, type Layer } from './layers.js';
import { PreNormBlock } from './llama.js';
import type { Tap } from './model.js';
import type { Weights } from './weights.js';

class ParallelBlock implements Block {
  constructor(
    private readonly layers: {
      attentionNorm: Layer;
      attention: SelfAttention;
      mlpNorm: Layer;
      mlp: Layer;
    },
  ) {}

  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { attentionNorm, attention, mlpNorm, mlp } = this.layers;
    const h = addToResidual(
      r,
      attention.forward(attentionNorm.forward(r), context, tap),
      'attn_out',
      tap,
    ); // [b, T, d]
    return addToResidual(h, mlp.forward(mlpNorm.forward(r)), 'mlp_out', tap);
  }
}

export function gptNeoX(config: ModelConfig, weights: Weights): Decoder {
  const build = new Builder(config, weights);
  const { width: d, heads, headDim, mlpWidth, vocabulary, attentionBias: bias } = config;
  const BlockOf = config.parallelResidual ? ParallelBlock : PreNormBlock;

  const attention = (i: number): SelfAttention => {
    const qkv = build.linear(`layers.${i}.attention.query_key_value`, {
      from: d,
      to: 3 * heads * headDim,
      bias,
    });
    return new SelfAttention(
      {
        project: (x) =>
          qkv.forward(x).unflatten(-1, [heads, 3, headDim]).unbind(3) as [Tensor, Tensor, Tensor],
        out: build.linear(`layers.${i}.attention.dense`, { from: heads * headDim, to: d, bias }),
      },
      build.attentionOptions(i),
    );
  };
  const mlp = (i: number): MLP =>
    new MLP(
      {
        up: build.linear(`layers.${i}.mlp.dense_h_to_4h`, { from: d, to: mlpWidth, bias: true }),
        down: build.linear(`layers.${i}.mlp.dense_4h_to_h`, { from: mlpWidth, to: d, bias: true }),
      },
      config.activation,
    );

  const embedding = weights.take('embed_in.weight', [vocabulary, d]);
  return new Decoder(config, weights, {
    embedding,
    blocks: build.blocks(
      (i) =>
        new BlockOf({
          attentionNorm: build.layerNorm(`layers.${i}.input_layernorm`),
          attention: attention(i),
          mlpNorm: build.layerNorm(`layers.${i}.post_attention_layernorm`),
          mlp: mlp(i),
        }),
    ),
    finalNorm: build.layerNorm('final_layer_norm'),
    head: build.head('embed_out', embedding),
  });
}
