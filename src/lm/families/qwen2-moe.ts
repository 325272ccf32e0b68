/**
 * Qwen 1.5 and 2's mixtures of experts (arXiv:2407.10671): Qwen 2's blocks whose MLPs are mixtures,
 * with an expert that every token goes to, behind a gate.
 */
import { SequentialBlock } from '../blocks.js';
import { sparseMLP } from '../expert-layers.js';
import { readPerToken, readSparseBlocks, sparseBlockKeys } from '../experts-config.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { readSizes, readTransformer, readWindows } from '../transformer-config.js';
import { qwenKeys } from './qwen2.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { maxPositions: 32_768, heads: 16, keyValueHeads: 16 });
  const count = fields.size('num_experts', 60);
  const slides = fields.boolean('use_sliding_window', false);
  // transformers computes with a window of no positions then.
  if (!slides && fields.strings('layer_types')?.includes('sliding_attention') === true)
    fields.unsupported('layer_types', 'full_attention in each block without use_sliding_window');
  if (slides && fields.value('sliding_window') === 0)
    fields.unsupported('sliding_window', 'one position or more with use_sliding_window');
  const size = slides ? fields.size('sliding_window', 4096) : null;
  const upTo = fields.number('max_window_layers', 28);
  const windows = readWindows(fields, sizes.layers, {
    size,
    rule: (index) => size !== null && index % 2 === 0 && index < upTo,
  });
  return readTransformer(fields, {
    sizes,
    differences: {
      windows,
      attentionBias: fields.boolean('qkv_bias', true),
      mlpBias: false,
      experts: {
        count,
        perToken: readPerToken(fields, { count, fallback: 4 }),
        width: fields.size('moe_intermediate_size', 1408),
        sharedWidth: fields.size('shared_expert_intermediate_size', 5632),
        normalized: fields.boolean('norm_topk_prob', false),
        inBlock: readSparseBlocks(fields, sizes.layers),
      },
    },
  });
}

export const qwen2Moe: Family = {
  name: 'qwen2-moe',
  modelTypes: ['qwen2_moe'],
  models: 'Qwen 1.5 MoE, Qwen 2 (57B-A14B)',
  features: 'mixture of experts with a shared, gated one',
  keys: {
    used: [
      ...[...qwenKeys, 'qkv_bias', 'num_experts', 'num_experts_per_tok', 'moe_intermediate_size'],
      ...['shared_expert_intermediate_size', 'norm_topk_prob', ...sparseBlockKeys],
    ],
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
          attention: build.attention(i, { outBias: false }),
          beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
          mlp: sparseMLP(build, i),
        }),
    ),
};
