/**
 * GPT-NeoX (Black et al. 2022, arXiv:2204.06745), the architecture of Pythia: attention and MLP
 * read the same residual stream side by side, a share of each head is rotated, queries, keys and
 * values lie together head by head.
 */
import type { Tensor } from '../../torch/index.js';
import { ParallelBlock, SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import {
  dividedWidth,
  mostLayers,
  readActivation,
  readTransformer,
  type Sizes,
} from '../transformer-config.js';
import { Transformer } from '../transformer.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { SelfAttention, type MLP } from '../layers.js';
import { readRope } from '../rope-config.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const width = fields.size('hidden_size');
  const heads = fields.size('num_attention_heads', 64);
  const names = { width: 'hidden_size', heads: 'num_attention_heads' };
  const headDim = dividedWidth(fields, { width, heads, names });
  // transformers rotates by `head_dim` and splits by the width.
  if (fields.size('head_dim', headDim) !== headDim)
    fields.unsupported('head_dim', `hidden_size / num_attention_heads (${headDim})`);
  const sizes: Sizes = {
    layers: fields.size<number>('num_hidden_layers', undefined, { atMost: mostLayers }),
    width,
    heads,
    headDim,
    keyValueHeads: heads,
    vocabulary: fields.size('vocab_size'),
    maxPositions: fields.size('max_position_embeddings', 2048),
    mlpWidth: fields.size('intermediate_size'),
  };
  // The family has names of its own for these two; transformers passes over the usual ones.
  const own = fields.with({ rope_theta: null, partial_rotary_factor: null });
  const rope = readRope(own, {
    ...sizes,
    theta: fields.number('rotary_emb_base', 10_000),
    partial: fields.number('rotary_pct', 0.25),
  });
  return readTransformer(fields, {
    sizes,
    rope,
    differences: {
      normEps: fields.number('layer_norm_eps', 1e-5),
      activation: readActivation(fields, 'hidden_act', 'gelu'),
      attentionBias: fields.boolean('attention_bias', true),
      mlpBias: true,
      parallelResidual: fields.boolean('use_parallel_residual', true),
    },
  });
}

function create(build: Builder): Transformer {
  const { config, weights } = build;
  const { width: d, heads, headDim, attentionBias: bias } = config;
  const BlockOf = config.parallelResidual ? ParallelBlock : SequentialBlock;
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
  const mlp = (i: number): MLP => {
    const at = `layers.${i}.mlp`;
    return build.mlp({ up: `${at}.dense_h_to_4h`, down: `${at}.dense_4h_to_h` });
  };
  return new Transformer(config, weights, {
    ...build.embeddingAndHead({ embedding: 'embed_in', heads: ['embed_out', 'lm_head'] }),
    blocks: build.blocks(
      (i) =>
        new BlockOf({
          beforeAttention: build.layerNorm(`layers.${i}.input_layernorm`),
          attention: attention(i),
          beforeMlp: build.layerNorm(`layers.${i}.post_attention_layernorm`),
          mlp: mlp(i),
        }),
    ),
    finalNorm: build.layerNorm('final_layer_norm'),
  });
}

export const gptNeoX: Family = {
  name: 'gpt-neox',
  modelTypes: ['gpt_neox'],
  models: 'Pythia, GPT-NeoX',
  features: 'parallel or sequential residual, partial rotary positions',
  keys: {
    used: [
      ...['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'],
      ...['max_position_embeddings', 'head_dim', 'layer_norm_eps', 'hidden_act', 'attention_bias'],
      ...['use_parallel_residual', 'rotary_pct', 'rotary_emb_base'],
      ...['rope_parameters', 'rope_scaling'],
    ],
    idle: ['rope_theta', 'partial_rotary_factor'],
  },
  prefixes: ['gpt_neox.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
