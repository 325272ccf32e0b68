/**
 * Text model of Llama 4 (Meta 2025): chunks of positions that attend among themselves, and after a
 * few such blocks one that sees all, without rotary positions, whose queries grow with their
 * position (arXiv:2501.19399). Some MLPs are mixtures of experts; what an expert reads is
 * multiplied, not what it gives.
 */
import { ops, scope, type Tensor } from '../../torch/index.js';
import type { BatchContext } from '../batch-context.js';
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { stackedExperts } from '../expert-layers.js';
import { MixtureOfExperts, sigmoidRouter } from '../experts.js';
import { readPerToken } from '../experts-config.js';
import type { QueryGrowth } from '../family-settings.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { RMSNorm, type MlpLayer, type SelfAttention } from '../layers.js';
import { readRope, type RopeConfig } from '../rope-config.js';
import { windowOrNone, perBlock, readSizes, readTransformer } from '../transformer-config.js';

/** Which blocks rotate queries and keys: `no_rope_layers` has 1 for those that do. */
function readRotated(fields: JsonFields, layers: number): boolean[] {
  const list = fields.numbers('no_rope_layers');
  if (list === null || list.length === 0) {
    const interval = fields.size('no_rope_layer_interval', 4);
    return perBlock(layers, (i) => (i + 1) % interval !== 0);
  }
  if (list.length !== layers)
    fields.invalid('no_rope_layers', `a list of ${layers}, one per block`);
  return list.map((rotated) => rotated !== 0);
}

/** Number of positions that attend among themselves in each block; null for all. */
function readChunks(fields: JsonFields, rotated: readonly boolean[]): (number | null)[] {
  const size = windowOrNone(fields, 'attention_chunk_size', 8192);
  if (size !== null && (!Number.isInteger(size) || size < 1))
    fields.invalid('attention_chunk_size', 'a whole number from 1, or null');
  const types = fields.strings('layer_types');
  if (types === null) return rotated.map((is) => (is ? size : null));
  if (types.length !== rotated.length)
    fields.invalid('layer_types', `a list of ${rotated.length}, one per block`);
  return types.map((type) => {
    if (type !== 'chunked_attention' && type !== 'full_attention')
      fields.unsupported('layer_types', 'chunked_attention or full_attention for each block');
    return type === 'chunked_attention' ? size : null;
  });
}

/** Which blocks are mixtures: `moe_layers`, or every so many. */
function readMixtures(fields: JsonFields, layers: number): boolean[] {
  const list = fields.numbers('moe_layers');
  if (list !== null) return perBlock(layers, (i) => list.includes(i));
  const step = fields.size('interleave_moe_layer_step', 1);
  return perBlock(layers, (i) => (i + 1) % step === 0);
}

/** Rotations whose factor on queries and keys their norm behind it takes away. */
function withoutFactor(rope: RopeConfig): RopeConfig {
  const { scaling } = rope;
  return 'attentionFactor' in scaling
    ? { ...rope, scaling: { ...scaling, attentionFactor: 1 } }
    : rope;
}

function readConfig(fields: JsonFields): FamilyConfig {
  const sizes = readSizes(fields, {
    vocabulary: 202_048,
    maxPositions: 131_072,
    heads: 40,
    keyValueHeads: 8,
    headDim: 128,
    mlpWidth: 16_384,
    mlpWidthName: 'intermediate_size_mlp',
  });
  const rotated = readRotated(fields, sizes.layers);
  const headNorms = fields.boolean('use_qk_norm', true);
  const read = readRope(fields, { ...sizes, theta: 500_000, interleaved: true });
  const rope = headNorms ? withoutFactor(read) : read;
  const count = fields.size('num_local_experts', 16);
  return readTransformer(fields, {
    sizes,
    rope,
    differences: {
      normEps: fields.number('rms_norm_eps', 1e-5),
      mlpBias: false,
      headNorms,
      ropes: rotated.map((is) => (is ? rope : null)),
      attentionChunks: readChunks(fields, rotated),
      queryGrowth: fields.boolean('attn_temperature_tuning', true)
        ? { beta: fields.number('attn_scale', 0.1), positions: fields.size('floor_scale', 8192) }
        : null,
      experts: {
        count,
        perToken: readPerToken(fields, { count, fallback: 1 }),
        width: fields.size('intermediate_size', 8192),
        sharedWidth: fields.size('intermediate_size', 8192),
        normalized: false,
        inBlock: readMixtures(fields, sizes.layers),
      },
    },
  });
}

/** Queries [b, T, H, hd] grown with their positions. */
function grown(q: Tensor, context: BatchContext, { beta, positions }: QueryGrowth): Tensor {
  if (context.reach < positions) return q;
  return scope(() => {
    const position = context.positions.to({ dtype: 'float32' }).add(1);
    const factor = position.div(positions).floor_().log1p_().mul_(beta).add_(1);
    return q.mul(factor.view([1, context.T, 1, 1])).to({ dtype: q.dtype });
  });
}

function attention(build: Builder, i: number): SelfAttention {
  const { headDim, headNorms, normEps, ropes, attentionChunks, queryGrowth } = build.config;
  const { weights } = build;
  const options = { ...build.attentionOptions(i), chunk: attentionChunks![i]! };
  if (ropes[i] === null)
    return build.attention(i, {
      options,
      ...(queryGrowth === null
        ? {}
        : { change: ([q, k, v], context) => [grown(q, context, queryGrowth!), k, v] }),
    });
  if (headNorms !== true) return build.attention(i, { options });
  // The norm has no weight, so that it makes no difference that it comes before the rotation.
  const norm = new RMSNorm(weights.own(ops.ones([headDim], weights.options)), normEps);
  return build.attention(i, { options, headNorms: { q: norm, k: norm } });
}

function mlp(build: Builder, i: number): MlpLayer {
  const { experts, width } = build.config;
  const { count, inBlock, perToken, sharedWidth } = experts!;
  const at = `layers.${i}.feed_forward`;
  if (!inBlock[i]!) return build.gatedMLP(at);
  const router = build.linear(`${at}.router`, { from: width, to: count, bias: false });
  return new MixtureOfExperts(
    {
      router: sigmoidRouter(router, { perToken }),
      experts: stackedExperts(build, { at: `${at}.experts`, config: experts!, transposed: true }),
      shared: { mlp: build.gatedMLP(`${at}.shared_expert`, { width: sharedWidth! }), gate: null },
    },
    'input',
  );
}

export const llama4: Family = {
  name: 'llama4',
  modelTypes: ['llama4_text'],
  models: 'Llama 4 Scout, Maverick',
  features: 'chunked attention, blocks without rotary positions, mixture of experts',
  keys: {
    used: [
      ...[...llamaKeys, 'hidden_act', 'attention_bias', 'use_qk_norm', 'intermediate_size_mlp'],
      ...['no_rope_layers', 'no_rope_layer_interval', 'layer_types', 'attention_chunk_size'],
      ...['attn_temperature_tuning', 'attn_scale', 'floor_scale'],
      ...['num_local_experts', 'num_experts_per_tok', 'moe_layers', 'interleave_moe_layer_step'],
    ],
    idle: ['router_jitter_noise', 'for_llm_compressor'],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create: (build) =>
    build.transformer(
      (i) =>
        new SequentialBlock({
          beforeAttention: build.rmsNorm(`layers.${i}.input_layernorm`),
          attention: attention(build, i),
          beforeMlp: build.rmsNorm(`layers.${i}.post_attention_layernorm`),
          mlp: mlp(build, i),
        }),
    ),
};
