/**
 * Granite 3 (IBM 2024): Llama's blocks with constant factors on embeddings, scores, on what
 * attention and MLP add, and on the logits.
 */
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { Scale } from '../layers.js';
import { perBlock, readSizes, readTransformer } from '../transformer-config.js';
import type { Transformer } from '../transformer.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { heads: 32, maxPositions: 2048 });
  const scaling = fields.number('logits_scaling', 1);
  if (scaling === 0) fields.invalid('logits_scaling', 'a number other than 0');
  return readTransformer(fields, {
    sizes,
    differences: {
      embeddingScale: fields.number('embedding_multiplier', 1),
      attentionScale: perBlock(sizes.layers, () => fields.number('attention_multiplier', 1)),
      residualScale: fields.number('residual_multiplier', 1),
      logitScale: 1 / scaling,
    },
  });
}

function create(build: Builder): Transformer {
  const { residualScale } = build.config;
  const scale = new Scale(residualScale);
  return build.transformer(
    (i) =>
      new SequentialBlock({
        beforeAttention: build.rmsNorm(`layers.${i}.input_layernorm`),
        attention: build.attention(i),
        afterAttention: scale,
        beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
        mlp: build.gatedMLP(`layers.${i}.mlp`),
        afterMlp: scale,
      }),
  );
}

export const granite: Family = {
  name: 'granite',
  modelTypes: ['granite'],
  models: 'Granite 3 (dense)',
  features: 'factors on embeddings, scores, the terms of the residual stream, logits',
  keys: {
    used: [
      ...[...llamaKeys, 'hidden_act', 'attention_bias', 'mlp_bias', 'embedding_multiplier'],
      ...['attention_multiplier', 'residual_multiplier', 'logits_scaling'],
    ],
  },
  prefixes: ['model.'],
  normsAfter: false,
  termsScaled: true,
  centeredByTransformerLens: false,
  readConfig,
  create,
};
