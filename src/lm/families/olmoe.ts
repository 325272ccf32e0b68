/**
 * OLMoE (Muennighoff et al. 2024, arXiv:2409.02060): Llama's blocks whose MLPs are mixtures of
 * experts. Queries and keys are normalized over all heads together, and may be clipped.
 */
import type { Tensor } from '../../torch/index.js';
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { sparseMLP } from '../expert-layers.js';
import { readPerToken } from '../experts-config.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { SelfAttention, type Layer } from '../layers.js';
import { perBlock, readAliased, readSizes, readTransformer } from '../transformer-config.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { heads: 16, maxPositions: 4096 });
  const count = readAliased(fields, {
    name: 'num_experts',
    alias: 'num_local_experts',
    fallback: 64,
  });
  const clip = fields.number('clip_qkv', null);
  if (clip !== null && clip < 0) fields.invalid('clip_qkv', 'a number from 0 on, or null');
  return readTransformer(fields, {
    sizes,
    differences: {
      normEps: fields.number('rms_norm_eps', 1e-5),
      mlpBias: false,
      clip,
      experts: {
        count,
        perToken: readPerToken(fields, { count, fallback: 8 }),
        width: sizes.mlpWidth,
        sharedWidth: null,
        normalized: fields.boolean('norm_topk_prob', false),
        inBlock: perBlock(sizes.layers, () => true),
      },
    },
  });
}

function attention(build: Builder, i: number): SelfAttention {
  const { heads, keyValueHeads, headDim, clip = null } = build.config;
  const at = `layers.${i}.self_attn`;
  const project = build.separateHeads(at);
  const qNorm = build.rmsNorm(`${at}.q_norm`, heads * headDim);
  const kNorm = build.rmsNorm(`${at}.k_norm`, keyValueHeads * headDim);
  const overHeads = (layer: Layer, x: Tensor): Tensor =>
    layer.forward(x.flatten(2)).unflatten(-1, [-1, headDim]);
  const clipped = (x: Tensor): Tensor => (clip === null ? x : x.clamp_(-clip, clip));
  return new SelfAttention(
    {
      project: (x) => {
        const [q, k, v] = project(x);
        return [clipped(overHeads(qNorm, q)), clipped(overHeads(kNorm, k)), clipped(v)];
      },
      out: build.attentionOut(`${at}.o_proj`),
    },
    build.attentionOptions(i),
  );
}

export const olmoe: Family = {
  name: 'olmoe',
  modelTypes: ['olmoe'],
  models: 'OLMoE 1B-7B',
  features: 'mixture of experts, queries and keys normalized over all heads',
  keys: {
    used: [
      ...[...llamaKeys, 'hidden_act', 'attention_bias', 'clip_qkv', 'norm_topk_prob'],
      ...['num_experts', 'num_local_experts', 'num_experts_per_tok'],
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
          attention: attention(build, i),
          beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
          mlp: sparseMLP(build, i),
        }),
    ),
};
