/**
 * StableLM 2 (Bellagente et al. 2024, arXiv:2402.17834) and StableLM 3B: Llama's blocks with layer
 * norms, a share of each head is rotated; attention and MLP may read one norm side by side.
 */
import { ops, scope } from '../../torch/index.js';
import { ParallelBlock, SequentialBlock, type Block } from '../blocks.js';
import type { Builder } from '../builder.js';
import { llamaKeys } from '../config-keys.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { HeadLayerNorm, type Layer, type SelfAttention } from '../layers.js';
import { readRope } from '../rope-config.js';
import { dividedWidth, readSizes, readTransformer } from '../transformer-config.js';
import type { Transformer } from '../transformer.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { maxPositions: 4096, heads: 32, keyValueHeads: 32 });
  const names = { width: 'hidden_size', heads: 'num_attention_heads' };
  const headDim = dividedWidth(fields, { ...sizes, names });
  if (sizes.headDim !== headDim)
    fields.unsupported('head_dim', `hidden_size / num_attention_heads (${headDim})`);
  return readTransformer(fields, {
    sizes,
    rope: readRope(fields, { ...sizes, partial: 0.25 }),
    differences: {
      normEps: fields.number('layer_norm_eps', 1e-5),
      attentionBias: fields.boolean('use_qkv_bias', false),
      mlpBias: false,
      parallelResidual: fields.boolean('use_parallel_residual', false),
      headNorms: fields.boolean('qk_layernorm', false),
    },
  });
}

function attention(build: Builder, i: number): SelfAttention {
  const { headNorms = false, heads, keyValueHeads, headDim, normEps } = build.config;
  const { weights } = build;
  // Each head has a norm with a weight of its own.
  const norm = (name: string, count: number): Layer => {
    const each = Array.from({ length: count }, (_, head) =>
      weights.take(`layers.${i}.self_attn.${name}.norms.${head}.weight`, [headDim]),
    );
    return new HeadLayerNorm(weights.own(scope(() => ops.stack(each, 0))), normEps);
  };
  return build.attention(i, {
    outBias: false,
    ...(headNorms
      ? { headNorms: { q: norm('q_layernorm', heads), k: norm('k_layernorm', keyValueHeads) } }
      : {}),
  });
}

function create(build: Builder): Transformer {
  const block = (i: number): Block => {
    const before = build.layerNorm(`layers.${i}.input_layernorm`);
    const layers = {
      beforeAttention: before,
      attention: attention(build, i),
      mlp: build.gatedMLP(`layers.${i}.mlp`),
    };
    return build.config.parallelResidual
      ? new ParallelBlock({ ...layers, beforeMlp: before })
      : new SequentialBlock({
          ...layers,
          beforeMlp: build.layerNorm(`layers.${i}.post_attention_layernorm`),
        });
  };
  return build.transformer(block, build.layerNorm('norm'));
}

export const stableLM: Family = {
  name: 'stablelm',
  modelTypes: ['stablelm'],
  models: 'StableLM 3B, StableLM 2, Stable Code 3B',
  features: 'layer norms, partial rotary positions, parallel or sequential, a norm for each head',
  keys: {
    used: [
      ...llamaKeys.filter((key) => key !== 'rms_norm_eps'),
      ...['hidden_act', 'layer_norm_eps', 'use_qkv_bias', 'use_parallel_residual', 'qk_layernorm'],
    ],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
