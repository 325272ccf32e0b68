/**
 * GPT-J (Wang and Komatsuzaki 2021): attention and MLP read the same norm side by side, neighboring
 * dimensions of each head are rotated together, the head has a bias.
 */
import { ParallelBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import type { RopeConfig } from '../rope-config.js';
import {
  dividedWidth,
  mostLayers,
  readActivation,
  readAliased,
  readTransformer,
  type Sizes,
} from '../transformer-config.js';
import { Transformer } from '../transformer.js';

function readSizesOf(fields: JsonFields): Sizes {
  const read = (name: string, alias: string, fallback: number, limits = {}): number =>
    readAliased(fields, { name, alias, fallback }, limits);
  const width = read('n_embd', 'hidden_size', 4096);
  const heads = read('n_head', 'num_attention_heads', 16);
  const names = { width: 'n_embd', heads: 'n_head' };
  return {
    layers: read('n_layer', 'num_hidden_layers', 28, { atMost: mostLayers }),
    width,
    heads,
    headDim: dividedWidth(fields, { width, heads, names }),
    keyValueHeads: heads,
    vocabulary: fields.size('vocab_size', 50_400),
    maxPositions: read('n_positions', 'max_position_embeddings', 2048),
    mlpWidth: fields.size('n_inner', 4 * width),
  };
}

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizesOf(fields);
  const dim = fields.size('rotary_dim', 64);
  if (dim > sizes.headDim || dim % 2 !== 0)
    fields.invalid('rotary_dim', `an even number up to the head's ${sizes.headDim} dimensions`);
  const rope: RopeConfig = {
    theta: 10_000,
    dim,
    scaling: { kind: 'default' },
    interleaved: true,
  };
  return readTransformer(fields, {
    sizes,
    rope,
    differences: {
      normEps: fields.number('layer_norm_epsilon', 1e-5),
      activation: readActivation(fields, 'activation_function', 'gelu_new'),
      attentionBias: false,
      mlpBias: true,
      parallelResidual: true,
    },
  });
}

function create(build: Builder): Transformer {
  return new Transformer(build.config, build.weights, {
    ...build.embeddingAndHead({ embedding: 'wte', heads: ['lm_head'] }, { headBias: true }),
    blocks: build.blocks((i) => {
      const norm = build.layerNorm(`h.${i}.ln_1`);
      return new ParallelBlock({
        beforeAttention: norm,
        attention: build.attention(i, { at: `h.${i}.attn`, out: 'out_proj' }),
        beforeMlp: norm,
        mlp: build.mlp({ up: `h.${i}.mlp.fc_in`, down: `h.${i}.mlp.fc_out` }),
      });
    }),
    finalNorm: build.layerNorm('ln_f'),
  });
}

export const gptJ: Family = {
  name: 'gpt-j',
  modelTypes: ['gptj'],
  models: 'GPT-J',
  features: 'attention and MLP behind one norm, neighboring dimensions rotated together',
  keys: {
    used: [
      ...['n_embd', 'n_head', 'n_layer', 'n_positions', 'n_inner', 'layer_norm_epsilon'],
      ...['hidden_size', 'num_attention_heads', 'num_hidden_layers', 'max_position_embeddings'],
      ...['activation_function', 'rotary_dim'],
    ],
    idle: ['rotary', 'scale_attn_weights', 'n_ctx'],
  },
  prefixes: ['transformer.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
