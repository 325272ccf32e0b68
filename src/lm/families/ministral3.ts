/**
 * Ministral 3 (Mistral AI 2025): Mistral's blocks, whose queries grow with the logarithm of their
 * position beyond the length that the model was first trained for.
 */
import { scope, type Tensor } from '../../torch/index.js';
import type { BatchContext } from '../batch-context.js';
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { QueryGrowth } from '../family-settings.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { readRope } from '../rope-config.js';
import { perBlock, readSizes, readTransformer } from '../transformer-config.js';

/** Rotary settings of a file that has none. */
const usualRope = {
  type: 'yarn',
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  beta_fast: 32,
  beta_slow: 1,
  mscale_all_dim: 1,
  mscale: 1,
  llama_4_scaling_beta: 0.1,
};

function readConfig(file: JsonFields): FamilyConfig {
  const fields =
    file.has('rope_parameters') || file.has('rope_scaling')
      ? file
      : file.with({ rope_parameters: usualRope });
  const hasHeadDim = !fields.names().includes('head_dim') || fields.has('head_dim');
  const sizes = readSizes(fields, {
    vocabulary: 131_072,
    maxPositions: 262_144,
    heads: 32,
    keyValueHeads: 8,
    ...(hasHeadDim ? { headDim: 128 } : {}),
  });
  const section = (fields.section('rope_scaling') ?? fields.section('rope_parameters'))!;
  const queryGrowth: QueryGrowth = {
    beta: section.number('llama_4_scaling_beta'),
    positions: section.size('original_max_position_embeddings'),
  };
  const window = fields.size('sliding_window', null);
  return readTransformer(fields, {
    sizes,
    rope: readRope(fields, sizes),
    differences: {
      normEps: fields.number('rms_norm_eps', 1e-5),
      attentionBias: false,
      mlpBias: false,
      windows: perBlock(sizes.layers, () => window),
      queryGrowth,
    },
  });
}

/** Queries [b, T, H, hd] grown with their positions. */
function grown(q: Tensor, context: BatchContext, { beta, positions }: QueryGrowth): Tensor {
  if (context.reach <= positions) return q;
  return scope(() => {
    const position = context.positions.to({ dtype: 'float32' });
    const factor = position.div(positions).floor_().add_(1).log_().mul_(beta).add_(1);
    return q.mul(factor.to({ dtype: q.dtype }).reshape([1, context.T, 1, 1]));
  });
}

export const ministral3: Family = {
  name: 'ministral3',
  modelTypes: ['ministral3'],
  models: 'Ministral 3',
  features: 'queries that grow with their position, sliding window',
  keys: {
    used: [...llamaKeys, 'hidden_act', 'sliding_window'],
    idle: ['layer_types'],
    rope: { used: ['llama_4_scaling_beta'], idle: ['max_position_embeddings'] },
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
            change: ([q, k, v], context) => [grown(q, context, build.config.queryGrowth!), k, v],
          }),
          beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
          mlp: build.gatedMLP(`layers.${i}.mlp`),
        }),
    ),
};
