/**
 * Gemma 2 (arXiv:2408.00118): embeddings scaled by √d, norms before and after attention and MLP
 * whose weights count from one, soft-capped attention and logits, a sliding window in every other
 * block.
 */
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import {
  numberOrNone,
  windowOrNone,
  perBlock,
  readActivation,
  readTransformer,
  readSizes,
  readWindows,
  type Sizes,
} from '../transformer-config.js';
import type { Transformer } from '../transformer.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import type { RMSNorm, SelfAttention } from '../layers.js';
import { gemmaNorm, GemmaTransformer, refuseBidirectional } from './gemma.js';

/** Keys that Gemma 2 and 3 read. */
export const gemmaKeys = [
  ...[...llamaKeys, 'hidden_activation', 'attention_bias', 'use_bidirectional_attention'],
  ...['query_pre_attn_scalar', 'sliding_window', 'layer_types', 'final_logit_softcapping'],
];

/** Configuration of Gemma 2 and 3 with the `differences` of one of them. */
export function readGemma(
  fields: JsonFields,
  sizes: Sizes,
  differences: Partial<FamilyConfig>,
): FamilyConfig {
  refuseBidirectional(fields);
  const scalar = fields.number('query_pre_attn_scalar', 256);
  if (scalar <= 0) fields.invalid('query_pre_attn_scalar', 'a number above 0');
  return readTransformer(fields, {
    sizes,
    ...(differences.ropes === undefined ? {} : { rope: null }),
    differences: {
      activation: readActivation(fields, 'hidden_activation', 'gelu_pytorch_tanh'),
      tiedHead: fields.boolean('tie_word_embeddings', true),
      mlpBias: false,
      attentionScale: perBlock(sizes.layers, () => scalar ** -0.5),
      ...differences,
    },
  });
}

/** Builds Gemma 2, or with `headNorms` Gemma 3, which normalizes each head's queries and keys. */
export function createGemma(build: Builder, { headNorms = false } = {}): Transformer {
  const { config, weights } = build;
  const norm = (name: string, width?: number): RMSNorm => gemmaNorm(build, name, width);
  const attention = (i: number): SelfAttention =>
    build.attention(
      i,
      headNorms
        ? {
            headNorms: {
              q: norm(`layers.${i}.self_attn.q_norm`, config.headDim),
              k: norm(`layers.${i}.self_attn.k_norm`, config.headDim),
            },
          }
        : {},
    );
  return new GemmaTransformer(config, weights, {
    ...build.embeddingAndHead({ embedding: 'embed_tokens', heads: ['lm_head'] }),
    blocks: build.blocks(
      (i) =>
        new SequentialBlock({
          beforeAttention: norm(`layers.${i}.input_layernorm`),
          attention: attention(i),
          afterAttention: norm(`layers.${i}.post_attention_layernorm`),
          beforeMlp: norm(`layers.${i}.pre_feedforward_layernorm`),
          mlp: build.gatedMLP(`layers.${i}.mlp`),
          afterMlp: norm(`layers.${i}.post_feedforward_layernorm`),
        }),
    ),
    finalNorm: norm('norm'),
  });
}

export const gemma2: Family = {
  name: 'gemma2',
  modelTypes: ['gemma2'],
  models: 'Gemma 2',
  features: 'soft-capping of attention and logits, alternating windows, norms before and after',
  keys: {
    used: [...gemmaKeys, 'attn_logit_softcapping'],
    idle: ['hidden_act'],
  },
  prefixes: ['model.'],
  normsAfter: true,
  centeredByTransformerLens: false,
  readConfig(fields) {
    const sizes = readSizes(fields, {
      maxPositions: 8192,
      heads: 8,
      keyValueHeads: 4,
      headDim: 256,
    });
    return readGemma(fields, sizes, {
      windows: readWindows(fields, sizes.layers, {
        size: windowOrNone(fields, 'sliding_window', 4096),
        rule: (index) => index % 2 === 0,
      }),
      attentionSoftcap: numberOrNone(fields, 'attn_logit_softcapping', 50),
      logitSoftcap: numberOrNone(fields, 'final_logit_softcapping', 30),
    });
  },
  create: (build) => createGemma(build),
};
