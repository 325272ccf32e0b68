/**
 * Falcon (Almazrouei et al. 2023, arXiv:2311.16867): attention and MLP side by side behind one norm
 * or two, queries share one key and value or few; queries, keys and values lie in one weight.
 */
import type { Tensor } from '../../torch/index.js';
import { ParallelBlock, SequentialBlock, type Block } from '../blocks.js';
import type { Builder } from '../builder.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { SelfAttention, type LayerNorm, type SelfAttentionLayers } from '../layers.js';
import { readRope } from '../rope-config.js';
import {
  dividedWidth,
  mostLayers,
  readActivation,
  readAliased,
  readTransformer,
  type Sizes,
} from '../transformer-config.js';
import { Transformer } from '../transformer.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const grouped = fields.boolean('new_decoder_architecture', false);
  const width = readAliased(fields, { name: 'n_embed', alias: 'hidden_size', fallback: 4544 });
  const heads = fields.size('num_attention_heads', 71);
  const names = { width: 'hidden_size', heads: 'num_attention_heads' };
  const shared = fields.boolean('multi_query', true);
  const given = fields.size('num_kv_heads', heads);
  const keyValueHeads = grouped ? given : shared ? 1 : heads;
  if (heads % keyValueHeads !== 0)
    fields.invalid('num_kv_heads', `a divisor of the ${heads} attention heads`);
  if (!grouped && !shared && given !== heads)
    fields.unsupported('num_kv_heads', `num_attention_heads (${heads}) without multi_query`);
  const sizes: Sizes = {
    layers: fields.size('num_hidden_layers', 32, { atMost: mostLayers }),
    width,
    heads,
    headDim: dividedWidth(fields, { width, heads, names }),
    keyValueHeads,
    vocabulary: fields.size('vocab_size', 65_024),
    maxPositions: fields.size('max_position_embeddings', 2048),
    mlpWidth: fields.size('ffn_hidden_size', 4 * width),
  };
  const bias = fields.boolean('bias', false);
  const parallel = fields.boolean('parallel_attn', true);
  if (grouped && !parallel) fields.unsupported('parallel_attn', 'true in the new architecture');
  const norms = fields.number('num_ln_in_parallel_attn', grouped ? 2 : 1);
  if (norms !== 1 && norms !== 2) fields.invalid('num_ln_in_parallel_attn', '1 or 2');
  if (norms === 2 && !grouped)
    fields.unsupported('num_ln_in_parallel_attn', '1 in the old architecture');
  return readTransformer(fields, {
    sizes,
    rope: readRope(fields, sizes),
    differences: {
      normEps: fields.number('layer_norm_epsilon', 1e-5),
      activation: readActivation(fields, 'activation', 'gelu'),
      tiedHead: fields.boolean('tie_word_embeddings', true),
      attentionBias: bias,
      mlpBias: bias,
      parallelResidual: parallel,
      falcon: { mlpNorm: norms === 2 },
    },
  });
}

/** Queries, keys and values of one weight, [b, T, (H + 2 H_kv)·hd]. */
function splitHeads(build: Builder): (fused: Tensor) => ReturnType<SelfAttentionLayers['project']> {
  const { heads, keyValueHeads, headDim } = build.config;
  // The queries of a group, then its key and its value.
  const queries = heads / keyValueHeads;
  return (fused) => {
    const groups = fused.unflatten(-1, [keyValueHeads, queries + 2, headDim]);
    const [q, k, v] = groups.split_with_sizes([queries, 1, 1], 3) as [Tensor, Tensor, Tensor];
    return [q.flatten(2, 3), k.squeeze(3), v.squeeze(3)];
  };
}

function attention(build: Builder, i: number): SelfAttention {
  const { width, heads, keyValueHeads, headDim, attentionBias: bias } = build.config;
  const at = `h.${i}.self_attention`;
  const qkv = build.linear(`${at}.query_key_value`, {
    from: width,
    to: (heads + 2 * keyValueHeads) * headDim,
    bias,
  });
  const split = splitHeads(build);
  return new SelfAttention(
    { project: (x) => split(qkv.forward(x)), out: build.attentionOut(`${at}.dense`) },
    build.attentionOptions(i),
  );
}

function create(build: Builder): Transformer {
  const { parallelResidual, falcon: settings } = build.config;
  const block = (i: number): Block => {
    const norm = (name: string): LayerNorm => build.layerNorm(`h.${i}.${name}`);
    const names = { up: `h.${i}.mlp.dense_h_to_4h`, down: `h.${i}.mlp.dense_4h_to_h` };
    const layers = { attention: attention(build, i), mlp: build.mlp(names) };
    if (settings!.mlpNorm)
      return new ParallelBlock({
        ...layers,
        beforeAttention: norm('ln_attn'),
        beforeMlp: norm('ln_mlp'),
      });
    const before = norm('input_layernorm');
    return parallelResidual
      ? new ParallelBlock({ ...layers, beforeAttention: before, beforeMlp: before })
      : new SequentialBlock({
          ...layers,
          beforeAttention: before,
          beforeMlp: norm('post_attention_layernorm'),
        });
  };
  return new Transformer(build.config, build.weights, {
    ...build.embeddingAndHead({ embedding: 'word_embeddings', heads: ['lm_head'] }),
    blocks: build.blocks(block),
    finalNorm: build.layerNorm('ln_f'),
  });
}

export const falcon: Family = {
  name: 'falcon',
  modelTypes: ['falcon'],
  models: 'Falcon 7B, 40B, 180B, Falcon 2',
  features: 'attention and MLP side by side, few keys and values, one norm or two',
  keys: {
    used: [
      ...['hidden_size', 'n_embed', 'num_attention_heads', 'num_hidden_layers', 'num_kv_heads'],
      ...['max_position_embeddings', 'ffn_hidden_size', 'layer_norm_epsilon', 'activation'],
      ...['bias', 'multi_query', 'parallel_attn', 'new_decoder_architecture'],
      ...['num_ln_in_parallel_attn', 'rope_theta', 'rope_parameters', 'rope_scaling'],
      'partial_rotary_factor',
    ],
    only: { alibi: [false] },
  },
  prefixes: ['transformer.'],
  normsAfter: false,
  centeredByTransformerLens: true,
  readConfig,
  create,
};
