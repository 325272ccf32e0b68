/**
 * OPT (Zhang et al. 2022, arXiv:2205.01068): learned positions whose table begins with two rows of
 * no position, ReLU in the MLP. OPT-350m normalizes the residual stream itself, after each
 * addition, and has token embeddings narrower than the stream.
 */
import type { Tensor } from '../../torch/index.js';
import type { BatchContext } from '../batch-context.js';
import { addToResidual, readByMlp, SequentialBlock, type Block } from '../blocks.js';
import type { Builder } from '../builder.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import type { Layer, LayerNorm, MlpLayer, SelfAttention } from '../layers.js';
import type { Tap } from '../model.js';
import {
  dividedWidth,
  mostLayers,
  readActivation,
  readTransformer,
  type Sizes,
} from '../transformer-config.js';
import type { Transformer, TransformerParts } from '../transformer.js';
import { PositionalTransformer } from './gpt2.js';

/** Rows of the table of positions before that of position 0. */
const offset = 2;

/** Norms on the residual stream: h = norm(r + attention(r)), r' = norm(h + mlp(h)). */
class PostNormBlock implements Block {
  constructor(
    private readonly layers: {
      attention: SelfAttention;
      afterAttention: Layer;
      mlp: MlpLayer;
      afterMlp: Layer;
    },
  ) {}

  forward(r: Tensor, context: BatchContext, tap?: Tap): Tensor {
    const { attention, afterAttention, mlp, afterMlp } = this.layers;
    const added = addToResidual(r, attention.forward(r, context, tap), 'attn_out', tap);
    const normed = afterAttention.forward(added); // [b, T, d]
    const h = tap === undefined ? normed : tap('resid_mid', normed);
    const out = mlp.forward(readByMlp(h, null, tap), tap);
    return afterMlp.forward(addToResidual(h, out, 'mlp_out', tap));
  }
}

function readConfig(fields: JsonFields): FamilyConfig {
  const width = fields.size('hidden_size', 768);
  const heads = fields.size('num_attention_heads', 12);
  const names = { width: 'hidden_size', heads: 'num_attention_heads' };
  const sizes: Sizes = {
    layers: fields.size('num_hidden_layers', 12, { atMost: mostLayers }),
    width,
    heads,
    headDim: dividedWidth(fields, { width, heads, names }),
    keyValueHeads: heads,
    vocabulary: fields.size('vocab_size', 50_272),
    maxPositions: fields.size('max_position_embeddings', 2048),
    mlpWidth: fields.size('ffn_dim', 3072),
  };
  const bias = fields.boolean('enable_bias', true);
  const before = fields.boolean('do_layer_norm_before', true);
  return readTransformer(fields, {
    sizes,
    rope: null,
    differences: {
      normEps: 1e-5,
      activation: readActivation(fields, 'activation_function', 'relu'),
      tiedHead: fields.boolean('tie_word_embeddings', true),
      attentionBias: bias,
      mlpBias: bias,
      // Norms on the residual stream: there is none before the MLP.
      lacks: before ? [] : ['ln2_normalized'],
      opt: {
        embeddingWidth: fields.size('word_embed_proj_dim', width),
        normBefore: before,
        finalNorm: before && !fields.boolean('_remove_final_layer_norm', false),
        normWeights: fields.boolean('layer_norm_elementwise_affine', true),
      },
    },
  });
}

function create(build: Builder): Transformer {
  const { config, weights } = build;
  const { embeddingWidth, normBefore, finalNorm, normWeights } = config.opt!;
  const norm = (name: string): LayerNorm => build.layerNorm(name, { weight: normWeights });
  const block = (i: number): Block => {
    const at = `layers.${i}`;
    const attention = build.attention(i, { out: 'out_proj' });
    const mlp = build.mlp({ up: `${at}.fc1`, down: `${at}.fc2` });
    const [first, second] = [norm(`${at}.self_attn_layer_norm`), norm(`${at}.final_layer_norm`)];
    return normBefore
      ? new SequentialBlock({ beforeAttention: first, attention, beforeMlp: second, mlp })
      : new PostNormBlock({ attention, afterAttention: first, mlp, afterMlp: second });
  };
  const names = { embedding: 'embed_tokens', heads: ['lm_head'] };
  const ends = build.embeddingAndHead(names, { width: embeddingWidth });
  const projects = embeddingWidth !== config.width;
  const [into, out] = projects
    ? [
        build.linear('project_in', { from: embeddingWidth, to: config.width, bias: false }),
        build.linear('project_out', { from: config.width, to: embeddingWidth, bias: false }),
      ]
    : [null, null];
  const parts: TransformerParts = {
    ...ends,
    head: { forward: (h, range) => ends.head.forward(out?.forward(h) ?? h, range) },
    blocks: build.blocks(block),
    finalNorm: finalNorm ? norm('final_layer_norm') : { forward: (r: Tensor) => r.clone() },
  };
  const table = weights.take('embed_positions.weight', [
    config.maxPositions + offset,
    config.width,
  ]);
  const positions = weights.own(table.narrow(0, offset, config.maxPositions));
  return new PositionalTransformer(config, weights, parts, positions, into);
}

export const opt: Family = {
  name: 'opt',
  modelTypes: ['opt'],
  models: 'OPT in all sizes, Galactica',
  features: 'learned positions, norms before or after the addition, projected embeddings',
  keys: {
    used: [
      ...['hidden_size', 'num_attention_heads', 'num_hidden_layers', 'max_position_embeddings'],
      ...['ffn_dim', 'activation_function', 'enable_bias', 'do_layer_norm_before'],
      ...['word_embed_proj_dim', '_remove_final_layer_norm', 'layer_norm_elementwise_affine'],
    ],
    idle: ['layerdrop', 'activation_dropout'],
  },
  prefixes: ['model.decoder.', 'decoder.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
