/**
 * Qwen 3's mixtures of experts (arXiv:2505.09388): Qwen 3's blocks whose MLPs are mixtures, all of
 * them or some.
 */
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import { sparseMLP } from '../expert-layers.js';
import { readPerToken, readSparseBlocks, sparseBlockKeys } from '../experts-config.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import {
  windowOrNone,
  perBlock,
  readAliased,
  readSizes,
  readTransformer,
} from '../transformer-config.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { maxPositions: 32_768, heads: 32, keyValueHeads: 4 });
  const count = readAliased(fields, {
    name: 'num_experts',
    alias: 'num_local_experts',
    fallback: 128,
  });
  // Here the window holds for every block or for none.
  const slides = fields.boolean('use_sliding_window', false);
  const window = slides ? windowOrNone(fields, 'sliding_window', 4096) : null;
  return readTransformer(fields, {
    sizes,
    differences: {
      mlpBias: false,
      windows: perBlock(sizes.layers, () => window),
      experts: {
        count,
        perToken: readPerToken(fields, { count, fallback: 8 }),
        width: fields.size('moe_intermediate_size', 768),
        sharedWidth: null,
        normalized: fields.boolean('norm_topk_prob', false),
        inBlock: readSparseBlocks(fields, sizes.layers),
      },
    },
  });
}

export const qwen3Moe: Family = {
  name: 'qwen3-moe',
  modelTypes: ['qwen3_moe'],
  models: 'Qwen 3 (30B-A3B, 235B-A22B), Qwen3-Coder',
  features: 'mixture of experts, dense blocks among them',
  keys: {
    used: [
      ...[...llamaKeys, 'hidden_act', 'attention_bias', 'use_sliding_window', 'sliding_window'],
      ...['num_experts', 'num_local_experts', 'num_experts_per_tok', 'moe_intermediate_size'],
      ...['norm_topk_prob', ...sparseBlockKeys],
    ],
    idle: ['max_window_layers'],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create: (build) =>
    build.transformer(
      (i) =>
        new SequentialBlock({
          beforeAttention: build.rmsNorm(`layers.${i}.input_layernorm`),
          attention: build.attention(i, {
            headNorms: {
              q: build.rmsNorm(`layers.${i}.self_attn.q_norm`, build.config.headDim),
              k: build.rmsNorm(`layers.${i}.self_attn.k_norm`, build.config.headDim),
            },
          }),
          beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
          mlp: sparseMLP(build, i),
        }),
    ),
};
