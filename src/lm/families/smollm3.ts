/** SmolLM 3 (Bakouch et al. 2025): Llama's blocks; every fourth does not rotate its heads. */
import { llamaKeys } from '../config-keys.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { readRope } from '../rope-config.js';
import { perBlock, readSizes, readTransformer, readWindows } from '../transformer-config.js';
import { llama } from './llama.js';

/** Whether each block rotates queries and keys. */
function readRotated(fields: JsonFields, layers: number): boolean[] {
  const list = fields.numbers('no_rope_layers');
  // The name means the opposite of the values: 1 stands for a block with rotary positions.
  if (list === null) {
    const interval = fields.size('no_rope_layer_interval', 4);
    return perBlock(layers, (index) => (index + 1) % interval !== 0);
  }
  if (list.length < layers) fields.invalid('no_rope_layers', `a list of ${layers}, one per block`);
  return perBlock(layers, (index) => list[index] !== 0);
}

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { heads: 16, keyValueHeads: 4, maxPositions: 32_768 });
  const rope = readRope(fields, { ...sizes, theta: 2e6 });
  const rotated = readRotated(fields, sizes.layers);
  const slides = fields.boolean('use_sliding_window', false);
  const size = fields.size('sliding_window', null);
  return readTransformer(fields, {
    sizes,
    rope,
    differences: {
      tiedHead: fields.boolean('tie_word_embeddings', true),
      ropes: rotated.map((rotates) => (rotates ? rope : null)),
      windows: readWindows(fields, sizes.layers, {
        size,
        rule: (index) => slides && !rotated[index]!,
      }),
    },
  });
}

export const smolLM3: Family = {
  name: 'smollm3',
  modelTypes: ['smollm3'],
  models: 'SmolLM 3',
  features: 'blocks without rotary positions, sliding windows',
  keys: {
    used: [
      ...[...llamaKeys, 'hidden_act', 'attention_bias', 'mlp_bias', 'layer_types'],
      ...['use_sliding_window', 'sliding_window', 'no_rope_layers', 'no_rope_layer_interval'],
    ],
    idle: ['max_window_layers'],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create: llama.create,
};
