/**
 * Qwen3.5's text models: blocks with linear attention (gated delta nets, arXiv:2412.06464), and
 * after a few of them one whose heads are behind a gate (arXiv:2505.06708). Norms count from one.
 */
import type { Tensor } from '../../torch/index.js';
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import { deltaNetKeys, readDeltaNet } from '../delta-net-config.js';
import { gatedDeltaNet, separateInputs } from '../delta-net-layers.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { SelfAttention, type AttentionLayer, type MlpLayer } from '../layers.js';
import { readRope } from '../rope-config.js';
import { readSizes, readTransformer, type SizeDefaults } from '../transformer-config.js';
import { Transformer } from '../transformer.js';
import { gemmaNorm } from './gemma.js';

/** Attention whose heads' outputs are multiplied with the sigmoid of a gate of the same width. */
function gatedAttention(build: Builder, i: number): SelfAttention {
  const { width: from, heads, keyValueHeads, headDim, attentionBias: bias } = build.config;
  const at = `layers.${i}.self_attn`;
  const layer = (name: string, count: number, each: number) => {
    const linear = build.linear(`${at}.${name}`, { from, to: count * each, bias });
    return (x: Tensor): Tensor => linear.forward(x).unflatten(-1, [count, each]);
  };
  const queries = layer('q_proj', heads, 2 * headDim);
  const [k, v] = [layer('k_proj', keyValueHeads, headDim), layer('v_proj', keyValueHeads, headDim)];
  return new SelfAttention(
    {
      project: (x) => {
        const [q, gate] = queries(x).chunk(2, -1) as [Tensor, Tensor]; // [b, T, H, hd]
        return [q, k(x), v(x), gate];
      },
      headNorms: {
        q: gemmaNorm(build, `${at}.q_norm`, headDim),
        k: gemmaNorm(build, `${at}.k_norm`, headDim),
      },
      out: build.attentionOut(`${at}.o_proj`),
    },
    build.attentionOptions(i),
  );
}

/** Model of blocks with linear and gated attention; its families differ in inputs and MLPs. */
export function hybridTransformer(
  build: Builder,
  {
    inputs = separateInputs,
    mlp,
  }: { inputs?: Parameters<typeof gatedDeltaNet>[2]; mlp: (i: number) => MlpLayer },
): Transformer {
  const { config, weights } = build;
  const attention = (i: number): AttentionLayer =>
    config.deltaNet!.inBlock[i]! ? gatedDeltaNet(build, i, inputs) : gatedAttention(build, i);
  return new Transformer(config, weights, {
    ...build.embeddingAndHead({ embedding: 'embed_tokens', heads: ['lm_head'] }),
    blocks: build.blocks(
      (i) =>
        new SequentialBlock({
          beforeAttention: gemmaNorm(build, `layers.${i}.input_layernorm`),
          attention: attention(i),
          beforeMlp: gemmaNorm(build, `layers.${i}.post_attention_layernorm`),
          mlp: mlp(i),
        }),
    ),
    finalNorm: gemmaNorm(build, 'norm'),
  });
}

/** Keys that all models of such blocks read. */
export const hybridKeys = [...llamaKeys, ...deltaNetKeys, 'hidden_act', 'attention_bias'];

/** Configuration of a model of such blocks. */
export function readHybrid(
  fields: JsonFields,
  defaults: SizeDefaults & { mlpWidthName?: string },
): FamilyConfig {
  const sizes = readSizes(fields, { maxPositions: 32_768, heads: 16, headDim: 256, ...defaults });
  return readTransformer(fields, {
    sizes,
    rope: readRope(fields, { ...sizes, partial: 0.25 }),
    differences: {
      mlpBias: false,
      deltaNet: readDeltaNet(fields, sizes.layers),
    },
  });
}

/** Keys of Qwen3.5's files that do not change the text model. */
export const qwen35Idle = [
  'mamba_ssm_dtype',
  'mtp_num_hidden_layers',
  'mtp_use_dedicated_embeddings',
];

/** Keys that may have only these values: transformers knows no others. */
export const qwen35Only = { attn_output_gate: [true] };

export const qwen35: Family = {
  name: 'qwen3.5',
  modelTypes: ['qwen3_5_text'],
  models: 'Qwen 3.5 (dense)',
  features: 'linear attention (gated delta nets), gated heads, partial rotary positions',
  keys: { used: hybridKeys, idle: qwen35Idle, only: qwen35Only },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig: (fields) => readHybrid(fields, { keyValueHeads: 4 }),
  create: (build) => hybridTransformer(build, { mlp: (i) => build.gatedMLP(`layers.${i}.mlp`) }),
};
