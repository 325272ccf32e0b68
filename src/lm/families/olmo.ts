/**
 * OLMo (Groeneveld et al. 2024, arXiv:2402.00838): Llama's blocks with layer norms that have no
 * weights; queries, keys and values may be clipped.
 */
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { LayerNorm, type SelfAttention } from '../layers.js';
import { readSizes, readTransformer } from '../transformer-config.js';
import type { Transformer } from '../transformer.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const clip = fields.number('clip_qkv', null);
  if (clip !== null && clip < 0) fields.invalid('clip_qkv', 'a number from 0 on, or null');
  return readTransformer(fields, {
    sizes: readSizes(fields, { heads: 32, maxPositions: 2048 }),
    differences: { normEps: 1e-5, mlpBias: false, clip },
  });
}

function attention(build: Builder, i: number): SelfAttention {
  const { clip = null } = build.config;
  if (clip === null) return build.attention(i);
  return build.attention(i, {
    change(heads) {
      for (const each of heads) each?.clamp_(-clip, clip);
      return heads;
    },
  });
}

function create(build: Builder): Transformer {
  const norm = new LayerNorm(null, null, build.config.normEps);
  return build.transformer(
    (i) =>
      new SequentialBlock({
        beforeAttention: norm,
        attention: attention(build, i),
        beforeMlp: norm,
        mlp: build.gatedMLP(`layers.${i}.mlp`),
      }),
    norm,
  );
}

export const olmo: Family = {
  name: 'olmo',
  modelTypes: ['olmo'],
  models: 'OLMo 1B, 7B (the first releases)',
  features: 'norms without weights, clipped queries, keys and values',
  keys: {
    used: [
      ...llamaKeys.filter((key) => key !== 'rms_norm_eps'),
      ...['hidden_act', 'attention_bias', 'clip_qkv'],
    ],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
