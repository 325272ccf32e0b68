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
import { readRope } from '../rope-config.js';

/** Keys that Qwen 2 and 3 read. */
export const qwenKeys = [
  ...[...llamaKeys, 'hidden_act', 'layer_types'],
  ...['use_sliding_window', 'sliding_window', 'max_window_layers'],
];

export interface QwenDefaults extends SizeDefaults {
  attentionBias: boolean;
  normEps?: number;
  theta?: number;
  /** Number of lower blocks without a window. */
  fullBlocks?: number;
}

/** Configuration of Qwen 2 and 3, which differ in their defaults. */
export function readQwen(
  fields: JsonFields,
  { attentionBias, normEps = 1e-6, theta = 10_000, fullBlocks = 28, ...defaults }: QwenDefaults,
): FamilyConfig {
  const sizes = readSizes(fields, {
    maxPositions: 32_768,
    heads: 32,
    keyValueHeads: 32,
    ...defaults,
  });
  const size = fields.boolean('use_sliding_window', false)
    ? fields.size('sliding_window', 4096)
    : null;
  const full = fields.number('max_window_layers', fullBlocks);
  const windows = readWindows(fields, sizes.layers, {
    size,
    rule: (index) => size !== null && index >= full,
  });
  return readTransformer(fields, {
    sizes,
    rope: readRope(fields, { ...sizes, theta }),
    differences: {
      normEps: fields.number('rms_norm_eps', normEps),
      windows,
      attentionBias,
      mlpBias: false,
    },
  });
}

/** Settings that the files of Qwen 2 VL and 2.5 VL leave out. */
const visionDefaults = {
  vocabulary: 152_064,
  maxPositions: 32_768,
  heads: 64,
  keyValueHeads: 8,
  normEps: 1e-5,
  theta: 1e6,
  fullBlocks: 80,
};

export const qwen2: Family = {
  name: 'qwen2',
  modelTypes: ['qwen2', 'qwen2_vl_text', 'qwen2_5_vl_text'],
  models: 'Qwen 2, 2.5; Qwen 2 VL, 2.5 VL',
  features: 'biases on queries, keys, values; sliding upper layers',
  keys: { used: qwenKeys },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig: (fields) =>
    readQwen(fields, {
      attentionBias: true,
      ...(fields.string('model_type', '') === 'qwen2' ? {} : visionDefaults),
    }),
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
