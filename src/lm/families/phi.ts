/**
 * Phi 1, 1.5 and 2 (Gunasekar et al. 2023, arXiv:2306.11644): attention and MLP read the same norm
 * side by side, a share of each head is rotated, biases everywhere, the head's included.
 */
import { ParallelBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { llamaKeys } from '../config-keys.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import type { Layer, SelfAttention } from '../layers.js';
import { readRope } from '../rope-config.js';
import { readActivation, readSizes, readTransformer } from '../transformer-config.js';
import { Transformer } from '../transformer.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { heads: 32, maxPositions: 2048 });
  return readTransformer(fields, {
    sizes,
    rope: readRope(fields, { ...sizes, partial: 0.5 }),
    differences: {
      normEps: fields.number('layer_norm_eps', 1e-5),
      activation: readActivation(fields, 'hidden_act', 'gelu_new'),
      attentionBias: true,
      mlpBias: true,
      parallelResidual: true,
      headNorms: fields.boolean('qk_layernorm', false),
    },
  });
}

function attention(build: Builder, i: number): SelfAttention {
  const { headNorms, headDim: width } = build.config;
  const at = `layers.${i}.self_attn`;
  if (!headNorms) return build.attention(i, { out: 'dense' });
  const norm = (name: string): Layer => build.layerNorm(`${at}.${name}`, { width });
  return build.attention(i, {
    out: 'dense',
    headNorms: { q: norm('q_layernorm'), k: norm('k_layernorm') },
  });
}

function create(build: Builder): Transformer {
  return new Transformer(build.config, build.weights, {
    ...build.embeddingAndHead(
      { embedding: 'embed_tokens', heads: ['lm_head'] },
      { headBias: true },
    ),
    blocks: build.blocks((i) => {
      const norm = build.layerNorm(`layers.${i}.input_layernorm`);
      return new ParallelBlock({
        beforeAttention: norm,
        attention: attention(build, i),
        beforeMlp: norm,
        mlp: build.mlp({ up: `layers.${i}.mlp.fc1`, down: `layers.${i}.mlp.fc2` }),
      });
    }),
    finalNorm: build.layerNorm('final_layernorm'),
  });
}

export const phi: Family = {
  name: 'phi',
  modelTypes: ['phi'],
  models: 'Phi 1, 1.5, 2',
  features: 'attention and MLP behind one norm, partial rotary positions, normalized heads',
  keys: {
    used: [
      ...llamaKeys.filter((key) => key !== 'rms_norm_eps'),
      ...['hidden_act', 'layer_norm_eps', 'qk_layernorm'],
    ],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
