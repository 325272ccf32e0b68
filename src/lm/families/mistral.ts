/**
 * Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama's blocks; a query sees the last
 * `sliding_window` positions.
 */
import { numberOrNone, perBlock, readTransformer, readSizes } from '../transformer-config.js';
import type { Family } from '../family.js';
import { llama } from './llama.js';

export const mistral: Family = {
  name: 'mistral',
  modelTypes: ['mistral'],
  models: 'Mistral 7B, Nemo',
  features: 'sliding window',
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig(fields) {
    const sizes = readSizes(fields, { keyValueHeads: 8 });
    const window = numberOrNone(fields, 'sliding_window', 4096);
    return readTransformer(fields, {
      sizes,
      differences: {
        attentionBias: false,
        mlpBias: false,
        windows: perBlock(sizes.layers, () => window),
      },
    });
  },
  create: llama.create,
};
