/**
 * Qwen 3 (arXiv:2505.09388): Llama's blocks. The queries and keys of each head are normalized
 * before they are rotated.
 */
import { SequentialBlock } from '../blocks.js';
import type { Family } from '../family.js';
import { qwenKeys, readQwen } from './qwen2.js';

export const qwen3: Family = {
  name: 'qwen3',
  modelTypes: ['qwen3', 'qwen3_vl_text'],
  models: 'Qwen 3 (dense), Qwen 3 VL (dense)',
  features: 'normalized queries and keys',
  keys: { used: [...qwenKeys, 'attention_bias'] },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig: (fields) =>
    readQwen(fields, {
      headDim: 128,
      attentionBias: fields.boolean('attention_bias', false),
      ...(fields.string('model_type', '') === 'qwen3'
        ? {}
        : { vocabulary: 151_936, maxPositions: 128_000, theta: 500_000 }),
    }),
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
          mlp: build.gatedMLP(`layers.${i}.mlp`),
        }),
    ),
};
