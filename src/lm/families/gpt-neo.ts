/**
 * GPT-Neo (Black et al. 2021), the architecture of TinyStories: GPT-2's blocks with weights stored
 * [out, in], scores that are not scaled, and a window of keys in every other block.
 */
import type { Builder } from '../builder.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import {
  dividedWidth,
  mostLayers,
  perBlock,
  readActivation,
  readAliased,
  readTransformer,
  type Sizes,
} from '../transformer-config.js';
import type { Transformer } from '../transformer.js';
import { createPositional } from './gpt2.js';

/** Kinds of the blocks from `attention_types`: `[[[kinds], repetitions], …]`. */
function expandedKinds(fields: JsonFields): unknown[] {
  const expected = 'a list of [[kinds], repetitions], such as [[["global", "local"], 12]]';
  const types = fields.value('attention_types') ?? [[['global', 'local'], 12]];
  if (!Array.isArray(types)) fields.invalid('attention_types', expected);
  return types.flatMap((item: unknown) => {
    const [kinds, count] = Array.isArray(item) ? (item as unknown[]) : [];
    if (!Array.isArray(kinds) || !Number.isInteger(count) || (count as number) < 0)
      return fields.invalid('attention_types', expected);
    const times = Math.min(count as number, mostLayers);
    return Array.from({ length: times }, () => kinds as unknown[]).flat();
  });
}

/** Window of each block; null if it sees all keys. */
function readKinds(fields: JsonFields, layers: number): (number | null)[] {
  // As in transformers, the expanded list wins if the file has both.
  const name = fields.has('attention_layers') ? 'attention_layers' : 'attention_types';
  const kinds = fields.strings('attention_layers') ?? expandedKinds(fields);
  if (kinds.length !== layers) fields.invalid(name, `the kinds of ${layers} blocks`);
  const window = fields.size('window_size', 256);
  return kinds.map((kind) => {
    if (kind !== 'global' && kind !== 'local')
      fields.unsupported(name, 'global or local for each block');
    return kind === 'local' ? window : null;
  });
}

function readConfig(fields: JsonFields): FamilyConfig {
  const width = fields.size('hidden_size', 2048);
  const heads = readAliased(fields, {
    name: 'num_heads',
    alias: 'num_attention_heads',
    fallback: 16,
  });
  const layers = readAliased(
    fields,
    { name: 'num_layers', alias: 'num_hidden_layers', fallback: 24 },
    { atMost: mostLayers },
  );
  const names = { width: 'hidden_size', heads: 'num_heads' };
  const sizes: Sizes = {
    layers,
    width,
    heads,
    headDim: dividedWidth(fields, { width, heads, names }),
    keyValueHeads: heads,
    vocabulary: fields.size('vocab_size', 50_257),
    maxPositions: fields.size('max_position_embeddings', 2048),
    mlpWidth: fields.size('intermediate_size', 4 * width),
  };
  return readTransformer(fields, {
    sizes,
    rope: null,
    differences: {
      normEps: fields.number('layer_norm_epsilon', 1e-5),
      activation: readActivation(fields, 'activation_function', 'gelu_new'),
      tiedHead: fields.boolean('tie_word_embeddings', true),
      attentionBias: false,
      mlpBias: true,
      windows: readKinds(fields, layers),
      attentionScale: perBlock(layers, () => 1),
    },
  });
}

const create = (build: Builder): Transformer =>
  createPositional(build, {
    attention: (i) =>
      build.attention(i, { at: `h.${i}.attn.attention`, out: 'out_proj', outBias: true }),
    mlp: (i) => build.mlp({ up: `h.${i}.mlp.c_fc`, down: `h.${i}.mlp.c_proj` }),
  });

export const gptNeo: Family = {
  name: 'gpt-neo',
  modelTypes: ['gpt_neo'],
  models: 'GPT-Neo, TinyStories',
  features: 'learned positions, windows in every other block, scores that are not scaled',
  keys: {
    used: [
      ...['hidden_size', 'num_heads', 'num_layers', 'max_position_embeddings'],
      ...['num_attention_heads', 'num_hidden_layers', 'intermediate_size', 'layer_norm_epsilon'],
      ...['activation_function', 'attention_types', 'attention_layers', 'window_size'],
    ],
  },
  prefixes: ['transformer.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
