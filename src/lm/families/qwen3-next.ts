/**
 * Qwen3-Next: the blocks of Qwen3.5's mixtures of experts, with the inputs of linear attention in
 * one projection, and dense MLPs if the file says so.
 */
import { groupedInputs } from '../delta-net-layers.js';
import { sparseMLP } from '../expert-layers.js';
import { readPerToken, readSparseBlocks, sparseBlockKeys } from '../experts-config.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { hybridKeys, hybridTransformer, readHybrid } from './qwen3-5.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const count = fields.size('num_experts', 512);
  const config = readHybrid(fields, { keyValueHeads: 2, mlpWidth: 5632 });
  return {
    ...config,
    experts: {
      count,
      perToken: readPerToken(fields, { count, fallback: 10 }),
      width: fields.size('moe_intermediate_size', 512),
      sharedWidth: fields.size('shared_expert_intermediate_size', 512),
      normalized: fields.boolean('norm_topk_prob', true),
      inBlock: readSparseBlocks(fields, config.layers),
    },
  };
}

export const qwen3Next: Family = {
  name: 'qwen3-next',
  modelTypes: ['qwen3_next'],
  models: 'Qwen3-Next (80B-A3B)',
  features: 'linear attention, gated heads, mixture of experts with a shared, gated one',
  keys: {
    used: [
      ...[...hybridKeys, 'num_experts', 'num_experts_per_tok', 'moe_intermediate_size'],
      ...['shared_expert_intermediate_size', 'norm_topk_prob', ...sparseBlockKeys],
    ],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create: (build) =>
    hybridTransformer(build, { inputs: groupedInputs, mlp: (i) => sparseMLP(build, i) }),
};
