/**
 * OLMo 2 (arXiv:2501.00656): norms after attention and MLP instead of before, queries and keys
 * normalized over all heads together, norm weights applied in float32.
 */
import type { Tensor } from '../../torch/index.js';
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { readSizes, readTransformer } from '../transformer-config.js';
import { Transformer } from '../transformer.js';
import type { Family } from '../family.js';
import { RMSNorm, SelfAttention, type Layer } from '../layers.js';

function create(build: Builder): Transformer {
  const { config, weights } = build;
  const { width: d, heads, keyValueHeads, headDim } = config;
  const norm = (name: string, width = d): RMSNorm => {
    const weight = weights.take(`${name}.weight`, [width]);
    return new RMSNorm(
      weight.dtype === 'float32' ? weight : weights.own(weight.to({ dtype: 'float32' })),
      config.normEps,
    );
  };
  const attention = (i: number): SelfAttention => {
    const at = `layers.${i}.self_attn`;
    const project = build.separateHeads(at);
    const qNorm = norm(`${at}.q_norm`, heads * headDim);
    const kNorm = norm(`${at}.k_norm`, keyValueHeads * headDim);
    const overHeads = (layer: Layer, x: Tensor): Tensor =>
      layer.forward(x.flatten(2)).unflatten(-1, [-1, headDim]);
    return new SelfAttention(
      {
        project: (x) => {
          const [q, k, v] = project(x);
          return [overHeads(qNorm, q), overHeads(kNorm, k), v];
        },
        out: build.attentionOut(`${at}.o_proj`),
      },
      build.attentionOptions(i),
    );
  };
  return new Transformer(config, weights, {
    ...build.embeddingAndHead({ embedding: 'embed_tokens', heads: ['lm_head'] }),
    blocks: build.blocks(
      (i) =>
        new SequentialBlock({
          attention: attention(i),
          afterAttention: norm(`layers.${i}.post_attention_layernorm`),
          mlp: build.gatedMLP(`layers.${i}.mlp`),
          afterMlp: norm(`layers.${i}.post_feedforward_layernorm`),
        }),
    ),
    finalNorm: norm('norm'),
  });
}

export const olmo2: Family = {
  name: 'olmo2',
  modelTypes: ['olmo2'],
  models: 'OLMo 2',
  features: 'norms after instead of before, queries and keys normalized over all heads',
  keys: { used: [...llamaKeys, 'hidden_act', 'attention_bias'] },
  prefixes: ['model.'],
  normsAfter: true,
  lacks: ['ln2_normalized'],
  centeredByTransformerLens: false,
  readConfig: (fields) =>
    readTransformer(fields, {
      sizes: readSizes(fields, { heads: 32, maxPositions: 2048 }),
      differences: { normEps: fields.number('rms_norm_eps', 1e-5), mlpBias: false },
    }),
  create,
};
