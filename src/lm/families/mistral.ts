/**
 * Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama's blocks; a query sees the last
 * `sliding_window` positions.
 */
import { llamaKeys } from '../config-keys.js';
import { windowOrNone, readTransformer, readSizes, readWindows } from '../transformer-config.js';
import type { Family } from '../family.js';
import { llama } from './llama.js';

export const mistral: Family = {
  name: 'mistral',
  modelTypes: ['mistral', 'ministral'],
  models: 'Mistral 7B, Nemo, Small; Ministral 8B',
  features: 'sliding windows',
  keys: { used: [...llamaKeys, 'hidden_act', 'sliding_window', 'layer_types'] },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig(fields) {
    const sizes = readSizes(fields, { heads: 32, keyValueHeads: 8, maxPositions: 131_072 });
    const size = windowOrNone(fields, 'sliding_window', 4096);
    const windows = readWindows(fields, sizes.layers, { size, rule: () => true });
    return readTransformer(fields, {
      sizes,
      differences: {
        attentionBias: false,
        mlpBias: false,
        windows,
      },
    });
  },
  create: llama.create,
};
