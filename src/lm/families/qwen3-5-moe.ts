/** Qwen3.5's mixtures of experts: Qwen3.5's blocks, every MLP a mixture with a shared expert. */
import { sparseMLP } from '../expert-layers.js';
import { readPerToken } from '../experts-config.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { perBlock } from '../transformer-config.js';
import { hybridKeys, hybridTransformer, qwen35Idle, qwen35Only, readHybrid } from './qwen3-5.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sharedWidth = fields.size('shared_expert_intermediate_size', 512);
  const count = fields.size('num_experts', 256);
  // Without dense MLPs there is no `intermediate_size`.
  const config = readHybrid(fields, {
    keyValueHeads: 2,
    mlpWidth: sharedWidth,
    mlpWidthName: 'shared_expert_intermediate_size',
  });
  return {
    ...config,
    experts: {
      count,
      perToken: readPerToken(fields, { count, fallback: 8 }),
      width: fields.size('moe_intermediate_size', 512),
      sharedWidth,
      normalized: true,
      inBlock: perBlock(config.layers, () => true),
    },
  };
}

export const qwen35Moe: Family = {
  name: 'qwen3.5-moe',
  modelTypes: ['qwen3_5_moe_text'],
  models: 'Qwen 3.5 (35B-A3B, …)',
  features: 'linear attention, gated heads, mixture of experts with a shared, gated one',
  keys: {
    used: [
      ...hybridKeys.filter((key) => key !== 'intermediate_size'),
      ...['num_experts', 'num_experts_per_tok', 'moe_intermediate_size'],
      'shared_expert_intermediate_size',
    ],
    idle: [...qwen35Idle, 'intermediate_size'],
    only: qwen35Only,
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create: (build) => hybridTransformer(build, { mlp: (i) => sparseMLP(build, i) }),
};
