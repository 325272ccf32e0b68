/**
 * Llama 2 and 3 (Touvron et al. 2023, arXiv:2307.09288; Grattafiori et al. 2024, arXiv:2407.21783):
 * a norm before attention and MLP, rotary positions, grouped queries, gated MLP. Models built the
 * same way use its name too, such as SmolLM.
 */
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import { readSizes, readTransformer } from '../transformer-config.js';
import type { Family } from '../family.js';

export const llama: Family = {
  name: 'llama',
  modelTypes: ['llama'],
  models: 'Llama 2, 3, 3.1, 3.2, 3.3, SmolLM, SmolLM 2, TinyLlama',
  features:
    'grouped queries, tied or separate head, biases of attention and MLP, ' +
    'a head dimension of its own',
  keys: { used: [...llamaKeys, 'hidden_act', 'attention_bias', 'mlp_bias'] },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig: (fields) =>
    readTransformer(fields, { sizes: readSizes(fields, { heads: 32, maxPositions: 2048 }) }),
  create: (build) =>
    build.transformer(
      (i) =>
        new SequentialBlock({
          beforeAttention: build.rmsNorm(`layers.${i}.input_layernorm`),
          attention: build.attention(i),
          beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
          mlp: build.gatedMLP(`layers.${i}.mlp`),
        }),
    ),
};
