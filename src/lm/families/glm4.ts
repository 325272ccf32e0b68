/**
 * GLM 4 (arXiv:2406.12793): Llama's blocks with gate and up in one weight, biases on queries, keys
 * and values; neighboring dimensions of a share of each head are rotated together. The files of
 * 2025 (`glm4`) have norms behind attention and MLP too.
 */
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { llamaKeys } from '../config-keys.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import type { RMSNorm } from '../layers.js';
import { readRope } from '../rope-config.js';
import { readSizes, readTransformer } from '../transformer-config.js';
import type { Transformer } from '../transformer.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const hasHeadDim = !fields.names().includes('head_dim') || fields.has('head_dim');
  const sizes = readSizes(fields, {
    vocabulary: 151_552,
    maxPositions: 131_072,
    heads: 32,
    keyValueHeads: 2,
    ...(hasHeadDim ? { headDim: 128 } : {}),
  });
  return readTransformer(fields, {
    sizes,
    rope: readRope(fields, { ...sizes, partial: 0.5, interleaved: true }),
    differences: {
      normEps: fields.number('rms_norm_eps', 1.5625e-7),
      attentionBias: fields.boolean('attention_bias', true),
      mlpBias: false,
    },
  });
}

function create(build: Builder, { normsAfter }: { normsAfter: boolean }): Transformer {
  return build.transformer((i) => {
    const norm = (name: string): RMSNorm => build.rmsNorm(`layers.${i}.${name}`);
    return new SequentialBlock({
      beforeAttention: norm('input_layernorm'),
      attention: build.attention(i, { outBias: false }),
      beforeMlp: norm('post_attention_layernorm'),
      mlp: build.fusedGatedMLP(`layers.${i}.mlp`),
      ...(normsAfter
        ? {
            afterAttention: norm('post_self_attn_layernorm'),
            afterMlp: norm('post_mlp_layernorm'),
          }
        : {}),
    });
  });
}

export const glm: Family = {
  name: 'glm',
  modelTypes: ['glm'],
  models: 'GLM 4 9B (of 2024)',
  features: 'fused MLP weights, a share of neighboring dimensions rotated',
  keys: { used: [...llamaKeys, 'hidden_act', 'attention_bias'] },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create: (build) => create(build, { normsAfter: false }),
};

export const glm4: Family = {
  ...glm,
  name: 'glm4',
  modelTypes: ['glm4'],
  models: 'GLM 4 9B, 32B and Z1 (0414)',
  features: 'GLM with norms behind attention and MLP',
  normsAfter: true,
  normNames: ['post_self_attn_layernorm', 'post_mlp_layernorm'],
  create: (build) => create(build, { normsAfter: true }),
};
