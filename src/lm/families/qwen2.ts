/**
 * Qwen 2 and 2.5 (arXiv:2407.10671): Llama's blocks with biases on queries, keys and values. The
 * upper blocks may have a sliding window.
 */
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import {
  readTransformer,
  readSizes,
  readWindows,
  type SizeDefaults,
} from '../transformer-config.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';

/** Keys that Qwen 2 and 3 read. */
export const qwenKeys = [
  ...[...llamaKeys, 'hidden_act', 'layer_types'],
  ...['use_sliding_window', 'sliding_window', 'max_window_layers'],
];

/** Configuration of Qwen 2 and 3, which differ in their defaults. */
export function readQwen(
  fields: JsonFields,
  { attentionBias, ...defaults }: SizeDefaults & { attentionBias: boolean },
): FamilyConfig {
  const sizes = readSizes(fields, { keyValueHeads: 32, ...defaults });
  const size = fields.boolean('use_sliding_window', false)
    ? fields.size('sliding_window', 4096)
    : null;
  const full = fields.number('max_window_layers', 28);
  const windows = readWindows(fields, sizes.layers, {
    size,
    rule: (index) => size !== null && index >= full,
  });
  return readTransformer(fields, {
    sizes,
    differences: { windows, attentionBias, mlpBias: false },
  });
}

export const qwen2: Family = {
  name: 'qwen2',
  modelTypes: ['qwen2'],
  models: 'Qwen 2, 2.5',
  features: 'biases on queries, keys, values; sliding upper layers',
  keys: { used: qwenKeys },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig: (fields) => readQwen(fields, { attentionBias: true }),
  create: (build) =>
    build.transformer(
      (i) =>
        new SequentialBlock({
          beforeAttention: build.rmsNorm(`layers.${i}.input_layernorm`),
          attention: build.attention(i, { outBias: false }),
          beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
          mlp: build.gatedMLP(`layers.${i}.mlp`),
        }),
    ),
};
