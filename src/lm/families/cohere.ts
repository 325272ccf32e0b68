/**
 * Command R (Cohere 2024) and Command R7B, A (arXiv:2504.00698): attention and MLP read the same
 * norm side by side, norms have no bias, neighboring dimensions of each head are rotated together,
 * logits are scaled. In the second generation blocks with a sliding window rotate their heads and
 * the others do not.
 */
import { ParallelBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { llamaKeys } from '../config-keys.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { HeadLayerNorm, type Layer, type SelfAttention } from '../layers.js';
import { readRope } from '../rope-config.js';
import {
  windowOrNone,
  readSizes,
  readSliding,
  readTransformer,
  type Sizes,
} from '../transformer-config.js';
import { Transformer } from '../transformer.js';

function readCohere(
  fields: JsonFields,
  sizes: Sizes,
  differences: Partial<FamilyConfig>,
): FamilyConfig {
  return readTransformer(fields, {
    sizes,
    rope: null,
    differences: {
      normEps: fields.number('layer_norm_eps', 1e-5),
      tiedHead: fields.boolean('tie_word_embeddings', true),
      mlpBias: false,
      parallelResidual: true,
      logitScale: fields.number('logit_scale', 0.0625),
      ...differences,
    },
  });
}

function attention(build: Builder, i: number): SelfAttention {
  const { headNorms = false, heads, keyValueHeads, headDim, normEps } = build.config;
  const norm = (name: string, count: number): Layer =>
    new HeadLayerNorm(
      build.weights.take(`layers.${i}.self_attn.${name}.weight`, [count, headDim]),
      normEps,
    );
  return build.attention(
    i,
    headNorms ? { headNorms: { q: norm('q_norm', heads), k: norm('k_norm', keyValueHeads) } } : {},
  );
}

function create(build: Builder): Transformer {
  return new Transformer(build.config, build.weights, {
    ...build.embeddingAndHead({ embedding: 'embed_tokens', heads: ['lm_head'] }),
    blocks: build.blocks((i) => {
      const norm = build.layerNorm(`layers.${i}.input_layernorm`, { bias: false });
      return new ParallelBlock({
        beforeAttention: norm,
        attention: attention(build, i),
        beforeMlp: norm,
        mlp: build.gatedMLP(`layers.${i}.mlp`),
      });
    }),
    finalNorm: build.layerNorm('norm', { bias: false }),
  });
}

/** Keys that both generations read. */
const cohereKeys = [
  ...llamaKeys.filter((key) => key !== 'rms_norm_eps'),
  ...['hidden_act', 'attention_bias', 'layer_norm_eps', 'logit_scale'],
];

export const cohere: Family = {
  name: 'cohere',
  modelTypes: ['cohere'],
  models: 'Command R, Aya 23',
  features: 'attention and MLP behind one norm, scaled logits, normalized heads',
  keys: { used: [...cohereKeys, 'use_qk_norm'] },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig(fields) {
    const sizes = readSizes(fields, { heads: 64, maxPositions: 8192 });
    const rope = readRope(fields, { ...sizes, theta: 500_000, interleaved: true });
    return readCohere(fields, sizes, {
      ropes: Array.from({ length: sizes.layers }, () => rope),
      headNorms: fields.boolean('use_qk_norm', false),
    });
  },
  create,
};

export const cohere2: Family = {
  ...cohere,
  name: 'cohere2',
  modelTypes: ['cohere2'],
  models: 'Command R7B, Command A',
  features: 'Command R with alternating windows, rotary positions in blocks with a window alone',
  keys: {
    used: [...cohereKeys, 'sliding_window', 'layer_types', 'sliding_window_pattern'],
    idle: [
      'order_of_interleaved_layers',
      'position_embedding_type',
      'rotary_pct',
      'use_gated_activation',
      'use_embedding_sharing',
      'use_parallel_block',
      'use_parallel_embedding',
      'use_qk_norm',
      'layer_switch',
      'cache_implementation',
    ],
  },
  readConfig(fields) {
    const sizes = readSizes(fields, { heads: 64, maxPositions: 8192 });
    const pattern = fields.size('sliding_window_pattern', 4);
    const sliding = readSliding(fields, sizes.layers, (index) => (index + 1) % pattern !== 0);
    const size = windowOrNone(fields, 'sliding_window', 4096);
    const rope = readRope(fields, { ...sizes, interleaved: true });
    return readCohere(fields, sizes, {
      windows: sliding.map((slides) => (slides ? size : null)),
      ropes: sliding.map((slides) => (slides && size !== null ? rope : null)),
    });
  },
};
