/**
 * Mixtral (Jiang et al. 2024, arXiv:2401.04088): Mistral's blocks whose MLPs are mixtures of
 * experts.
 */
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { sparseMLP } from '../expert-layers.js';
import { readPerToken } from '../experts-config.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import type { Layer } from '../layers.js';
import { readRope } from '../rope-config.js';
import { perBlock, readAliased, readSizes, readTransformer } from '../transformer-config.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { heads: 32, keyValueHeads: 8, maxPositions: 131_072 });
  const count = readAliased(fields, {
    name: 'num_local_experts',
    alias: 'num_experts',
    fallback: 8,
  });
  const window = fields.size('sliding_window', null);
  return readTransformer(fields, {
    sizes,
    rope: readRope(fields, { ...sizes, theta: 1_000_000 }),
    differences: {
      normEps: fields.number('rms_norm_eps', 1e-5),
      attentionBias: false,
      mlpBias: false,
      windows: perBlock(sizes.layers, () => window),
      experts: {
        count,
        perToken: readPerToken(fields, { count, fallback: 2 }),
        width: sizes.mlpWidth,
        sharedWidth: null,
        normalized: true,
        inBlock: perBlock(sizes.layers, () => true),
      },
    },
  });
}

/** MLP of a block. Before transformers 5 it was `block_sparse_moe`, with experts of w1, w3, w2. */
function mixture(build: Builder, i: number): Layer {
  const { weights } = build;
  const older = `layers.${i}.block_sparse_moe`;
  return sparseMLP(build, i, {
    at: weights.has(`${older}.gate.weight`) ? older : `layers.${i}.mlp`,
    names: { gate: 'w1', up: 'w3', down: 'w2' },
  });
}

export const mixtral: Family = {
  name: 'mixtral',
  modelTypes: ['mixtral'],
  models: 'Mixtral 8x7B, 8x22B',
  features: 'mixture of experts',
  keys: {
    used: [
      ...[...llamaKeys, 'hidden_act', 'sliding_window'],
      ...['num_local_experts', 'num_experts', 'num_experts_per_tok'],
    ],
    idle: ['router_jitter_noise'],
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
          attention: build.attention(i),
          beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
          mlp: mixture(build, i),
        }),
    ),
};
