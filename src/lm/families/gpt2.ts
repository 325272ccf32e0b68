/**
 * GPT-2 (Radford et al. 2019): learned positions, layer norms, biases everywhere, weights stored
 * [in, out].
 */
import { scope, type Tensor } from '../../torch/index.js';
import type { BatchContext } from '../batch-context.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import type { ModelConfig } from '../config.js';
import {
  dividedWidth,
  mostLayers,
  perBlock,
  readActivation,
  readAliased,
  readTransformer,
  type Sizes,
} from '../transformer-config.js';
import { Transformer, type TransformerParts } from '../transformer.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { MLP, SelfAttention, type Layer } from '../layers.js';
import type { AttentionContext } from '../model.js';
import type { Weights } from '../weights.js';

/** Transformer whose embeddings get those of their positions added. */
export class PositionalTransformer extends Transformer {
  constructor(
    config: ModelConfig,
    weights: Weights,
    parts: TransformerParts,
    private readonly positions: Tensor, // [maxPositions, d]
    /** The projection from token embeddings to the residual stream's width. */
    private readonly into: Layer | null = null,
  ) {
    super(config, weights, parts);
  }

  override embed(ids: Tensor, context?: AttentionContext): Tensor {
    return scope(() => {
      const embedded = super.embed(ids);
      const r = this.into === null ? embedded : this.into.forward(embedded); // [B, T, d]
      return r.add_(
        context?.isUnpadded === true
          ? this.positions.index_select(0, (context as BatchContext).positions)
          : this.positions.narrow(0, 0, ids.shape[1]!),
      );
    });
  }
}

function readConfig(fields: JsonFields): FamilyConfig {
  const width = readAliased(fields, { name: 'n_embd', alias: 'hidden_size', fallback: 768 });
  const heads = readAliased(fields, {
    name: 'n_head',
    alias: 'num_attention_heads',
    fallback: 12,
  });
  const layers = readAliased(
    fields,
    { name: 'n_layer', alias: 'num_hidden_layers', fallback: 12 },
    { atMost: mostLayers },
  );
  const headDim = dividedWidth(fields, {
    width,
    heads,
    names: { width: 'n_embd', heads: 'n_head' },
  });
  const sizes: Sizes = {
    layers,
    width,
    heads,
    headDim,
    keyValueHeads: heads,
    vocabulary: fields.size('vocab_size', 50_257),
    maxPositions: readAliased(fields, {
      name: 'n_positions',
      alias: 'max_position_embeddings',
      fallback: 1024,
    }),
    mlpWidth: fields.size('n_inner', 4 * width),
  };
  const scale = fields.boolean('scale_attn_weights', true) ? headDim ** -0.5 : 1;
  const byDepth = fields.boolean('scale_attn_by_inverse_layer_idx', false);
  return readTransformer(fields, {
    sizes,
    rope: null,
    differences: {
      normEps: fields.number('layer_norm_epsilon', 1e-5),
      activation: readActivation(fields, 'activation_function', 'gelu_new'),
      tiedHead: fields.boolean('tie_word_embeddings', true),
      attentionBias: true,
      mlpBias: true,
      attentionScale: perBlock(layers, (index) => (byDepth ? scale / (index + 1) : scale)),
    },
  });
}

/** Builds a model with GPT-2's names, its attentions and MLPs given. */
export function createPositional(
  build: Builder,
  { attention, mlp }: { attention: (i: number) => SelfAttention; mlp: (i: number) => MLP },
): Transformer {
  const { config, weights } = build;
  const parts: TransformerParts = {
    ...build.embeddingAndHead({ embedding: 'wte', heads: ['lm_head'] }),
    blocks: build.blocks(
      (i) =>
        new SequentialBlock({
          beforeAttention: build.layerNorm(`h.${i}.ln_1`),
          attention: attention(i),
          beforeMlp: build.layerNorm(`h.${i}.ln_2`),
          mlp: mlp(i),
        }),
    ),
    finalNorm: build.layerNorm('ln_f'),
  };
  const positions = weights.take('wpe.weight', [config.maxPositions, config.width]);
  return new PositionalTransformer(config, weights, parts, positions);
}

function create(build: Builder): Transformer {
  const { config } = build;
  const { width: d, heads, headDim, mlpWidth } = config;
  const attention = (i: number): SelfAttention => {
    const qkv = build.linearTransposed(`h.${i}.attn.c_attn`, { from: d, to: 3 * d, bias: true });
    return new SelfAttention(
      {
        project: (x) =>
          qkv.forward(x).unflatten(-1, [3, heads, headDim]).unbind(2) as [Tensor, Tensor, Tensor],
        out: build.linearTransposed(`h.${i}.attn.c_proj`, { from: d, to: d, bias: true }),
      },
      build.attentionOptions(i),
    );
  };
  const mlp = (i: number): MLP =>
    new MLP(
      {
        up: build.linearTransposed(`h.${i}.mlp.c_fc`, { from: d, to: mlpWidth, bias: true }),
        down: build.linearTransposed(`h.${i}.mlp.c_proj`, { from: mlpWidth, to: d, bias: true }),
      },
      config.activation,
    );
  return createPositional(build, { attention, mlp });
}

export const gpt2: Family = {
  name: 'gpt2',
  modelTypes: ['gpt2'],
  models: 'GPT-2 in all sizes, and models fine-tuned from it',
  features: 'learned positions, weights stored [in, out], scaling by depth',
  keys: {
    used: [
      ...['n_embd', 'n_head', 'n_layer', 'n_positions', 'n_inner', 'layer_norm_epsilon'],
      ...['hidden_size', 'num_attention_heads', 'num_hidden_layers', 'max_position_embeddings'],
      ...['activation_function', 'scale_attn_weights', 'scale_attn_by_inverse_layer_idx'],
    ],
    idle: ['n_ctx', 'reorder_and_upcast_attn', 'add_cross_attention'],
  },
  prefixes: ['transformer.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
