/**
 * gpt-oss (OpenAI 2025, arXiv:2508.10925): mixtures of experts with biases, windows in every other
 * block, and a score of each head that stands for no key. The experts may be stored in MXFP4.
 */
import { scope, type Tensor } from '../../torch/index.js';
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { ClampedGLU } from '../clamped-glu.js';
import { MixtureOfExperts, topSoftmaxRouter } from '../experts.js';
import { readPerToken } from '../experts-config.js';
import type { Family, FamilyConfig } from '../family.js';
import { JsonFields } from '../json-fields.js';
import { Linear, RMSNorm, type Layer } from '../layers.js';
import { numbersPerBlock, widenMxfp4 } from '../mxfp4.js';
import { readRope, readRopeSection } from '../rope-config.js';
import {
  windowOrNone,
  perBlock,
  readAliased,
  readSizes,
  readTransformer,
  readWindows,
} from '../transformer-config.js';
import { Transformer } from '../transformer.js';

/** Rotary scaling of a file that says nothing about it. */
const usualRope = {
  rope_type: 'yarn',
  factor: 32,
  beta_fast: 32,
  beta_slow: 1,
  truncate: false,
  original_max_position_embeddings: 4096,
};

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, {
    maxPositions: 131_072,
    heads: 64,
    keyValueHeads: 8,
    headDim: 64,
  });
  const count = readAliased(fields, {
    name: 'num_local_experts',
    alias: 'num_experts',
    fallback: 128,
  });
  const defaults = { ...sizes, theta: 150_000, originalPositions: sizes.maxPositions };
  const older = fields.section('rope_scaling')?.names() ?? [];
  const saysNothing = older.length === 0 && !fields.has('rope_parameters');
  return readTransformer(fields, {
    sizes,
    rope: saysNothing
      ? readRopeSection(JsonFields.from(usualRope, fields.file), fields, defaults)
      : readRope(fields, defaults),
    differences: {
      normEps: fields.number('rms_norm_eps', 1e-5),
      activation: 'silu', // of no use: the experts have their own
      attentionBias: fields.boolean('attention_bias', true),
      mlpBias: true,
      attentionSinks: true,
      windows: readWindows(fields, sizes.layers, {
        size: windowOrNone(fields, 'sliding_window', 128),
        rule: (i) => i % 2 === 0,
      }),
      experts: {
        count,
        perToken: readPerToken(fields, { count, fallback: 4 }),
        width: sizes.mlpWidth,
        sharedWidth: null,
        normalized: true,
        inBlock: perBlock(sizes.layers, () => true),
      },
    },
  });
}

/** One of the two layers of each expert, whose weights are stored [in, out] or in MXFP4. */
function expertLayers(
  build: Builder,
  name: string,
  { from, to }: { from: number; to: number },
): Linear[] {
  const { weights } = build;
  const { count } = build.config.experts!;
  const biases = weights.take(`${name}_bias`, [count, to]);
  const layer = (weight: (e: number) => Tensor): Linear[] =>
    Array.from(
      { length: count },
      (_, e) => new Linear(weight(e), weights.own(biases.select(0, e)), weights.packed),
    );
  if (!weights.has(`${name}_blocks`)) {
    const stacked = weights.take(name, [count, from, to]);
    return layer((e) => weights.own(scope(() => stacked.select(0, e).t())));
  }
  const groups = from / numbersPerBlock;
  const blocks = weights.bytes(`${name}_blocks`, [count, to, groups, numbersPerBlock / 2]);
  const factors = weights.bytes(`${name}_scales`, [count, to, groups]);
  const { dtype } = weights.options;
  const layers = layer((e) => {
    const [own, scales] = [blocks.select(0, e), factors.select(0, e)];
    const widened = weights.put(`${name}.${e}`, widenMxfp4(own, scales, dtype)); // [to, from]
    own.dispose();
    scales.dispose();
    return widened;
  });
  blocks.dispose();
  factors.dispose();
  return layers;
}

function mixture(build: Builder, i: number): Layer {
  const { width: d, experts } = build.config;
  const { count, width: m } = experts!;
  const at = `layers.${i}.mlp`;
  const gateUp = expertLayers(build, `${at}.experts.gate_up_proj`, { from: d, to: 2 * m });
  const down = expertLayers(build, `${at}.experts.down_proj`, { from: m, to: d });
  const gate = build.linear(`${at}.router`, { from: d, to: count, bias: true });
  return new MixtureOfExperts({
    router: topSoftmaxRouter(gate, experts!),
    experts: gateUp.map((layer, e) => new ClampedGLU({ gateUp: layer, down: down[e]! })),
    shared: null,
  });
}

function create(build: Builder): Transformer {
  const { config, weights } = build;
  const norm = (name: string): RMSNorm => {
    const weight = weights.take(`${name}.weight`, [config.width]);
    return new RMSNorm(
      weight.dtype === 'float32' ? weight : weights.own(weight.to({ dtype: 'float32' })),
      config.normEps,
    );
  };
  return new Transformer(config, weights, {
    ...build.embeddingAndHead({ embedding: 'embed_tokens', heads: ['lm_head'] }),
    blocks: build.blocks((i) => {
      const sinks = weights.take(`layers.${i}.self_attn.sinks`, [config.heads]);
      return new SequentialBlock({
        beforeAttention: norm(`layers.${i}.input_layernorm`),
        attention: build.attention(i, { options: { ...build.attentionOptions(i), sinks } }),
        beforeMlp: norm(`layers.${i}.post_attention_layernorm`),
        mlp: mixture(build, i),
      });
    }),
    finalNorm: norm('norm'),
  });
}

export const gptOss: Family = {
  name: 'gpt-oss',
  modelTypes: ['gpt_oss'],
  models: 'gpt-oss (20b, 120b)',
  features: 'mixture of experts with biases, attention sinks, alternating windows, MXFP4',
  keys: {
    used: [
      ...[...llamaKeys, 'attention_bias', 'sliding_window', 'layer_types'],
      ...['num_local_experts', 'num_experts', 'num_experts_per_tok'],
    ],
    idle: ['hidden_act', 'experts_per_token', 'initial_context_length'],
    // transformers knows no other.
    only: { swiglu_limit: [7] },
  },
  quantizations: ['mxfp4'],
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create,
};
