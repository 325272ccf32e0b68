/**
 * Phi-3 (arXiv:2404.14219): Llama's blocks with queries, keys and values in one weight, gate and up
 * in another.
 */
import type { Tensor } from '../../torch/index.js';
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { perBlock, readTransformer, readSizes } from '../transformer-config.js';
import type { Transformer } from '../transformer.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { SelfAttention } from '../layers.js';
import { readRope } from '../rope-config.js';

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, { heads: 32, maxPositions: 4096 });
  const window = fields.size('sliding_window', null);
  // A default of the family, and so before what a section says.
  const original = fields.size('original_max_position_embeddings', 4096);
  const rope = readRope(fields.with({ original_max_position_embeddings: original }), {
    ...sizes,
    partial: 1,
    yarnIsLongrope: true,
  });
  return readTransformer(fields, {
    sizes,
    rope,
    differences: {
      normEps: fields.number('rms_norm_eps', 1e-5),
      attentionBias: false,
      mlpBias: false,
      windows: perBlock(sizes.layers, () => window),
    },
  });
}

function create(build: Builder): Transformer {
  const { width: d, heads, keyValueHeads, headDim } = build.config;
  const attention = (i: number): SelfAttention => {
    const counts = [heads, keyValueHeads, keyValueHeads];
    const all = heads + 2 * keyValueHeads;
    const qkv = build.linear(`layers.${i}.self_attn.qkv_proj`, {
      from: d,
      to: all * headDim,
      bias: false,
    });
    return new SelfAttention(
      {
        project: (x) =>
          qkv.forward(x).unflatten(-1, [all, headDim]).split_with_sizes(counts, 2) as [
            Tensor,
            Tensor,
            Tensor,
          ],
        out: build.attentionOut(`layers.${i}.self_attn.o_proj`),
      },
      build.attentionOptions(i),
    );
  };
  return build.transformer(
    (i) =>
      new SequentialBlock({
        beforeAttention: build.rmsNorm(`layers.${i}.input_layernorm`),
        attention: attention(i),
        beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
        mlp: build.fusedGatedMLP(`layers.${i}.mlp`),
      }),
  );
}

export const phi3: Family = {
  name: 'phi3',
  modelTypes: ['phi3'],
  models: 'Phi-3, Phi-3.5 mini, Phi-4 (mini)',
  features: 'fused weights, LongRoPE, partial rotary positions',
  keys: {
    used: [...llamaKeys, 'hidden_act', 'sliding_window'],
    idle: ['full_attn_mod', 'interpolate_factor'],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create,
};
