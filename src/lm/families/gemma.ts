/**
 * Gemma (arXiv:2403.08295): Llama's blocks with embeddings scaled by √d, norms whose weights count
 * from one, and GELU in the MLP.
 */
import { scope, type Tensor } from '../../torch/index.js';
import { llamaKeys } from '../config-keys.js';
import { SequentialBlock } from '../blocks.js';
import type { Builder } from '../builder.js';
import type { Family, FamilyConfig } from '../family.js';
import type { JsonFields } from '../json-fields.js';
import { RMSNorm } from '../layers.js';
import { readActivation, readSizes, readTransformer } from '../transformer-config.js';
import { Transformer } from '../transformer.js';

/** Transformer with scaled embeddings, of all Gemmas. */
export class GemmaTransformer extends Transformer {
  override embed(ids: Tensor): Tensor {
    return scope(() => {
      const r = super.embed(ids); // [B, T, d]
      // The factor is rounded to the model's dtype first: √3072 is 55.5 in bfloat16.
      const scale = r.new_full([], Math.sqrt(this.width));
      return r.mul_(scale);
    });
  }
}

/** Norm of all Gemmas, which multiplies by 1 + weight, in float32. */
export function gemmaNorm(build: Builder, name: string, width = build.config.width): RMSNorm {
  const { config, weights } = build;
  const weight = weights.take(`${name}.weight`, [width]);
  const plusOne = weights.own(scope(() => weight.to({ dtype: 'float32' }).add(1)));
  return new RMSNorm(plusOne, config.normEps);
}

/** @throws SaeEvalError `model-unsupported` if the model is not causal. */
export function refuseBidirectional(fields: JsonFields): void {
  if (fields.boolean('use_bidirectional_attention', false))
    fields.unsupported('use_bidirectional_attention', 'false (causal attention)');
}

function readConfig(fields: JsonFields): FamilyConfig {
  refuseBidirectional(fields);
  const sizes = readSizes(fields, {
    maxPositions: 8192,
    heads: 16,
    keyValueHeads: 16,
    headDim: 256,
  });
  return readTransformer(fields, {
    sizes,
    differences: {
      // The first releases say `gelu` and mean its approximation.
      activation:
        fields.value('hidden_act') === 'gelu'
          ? 'gelu_tanh'
          : readActivation(fields, 'hidden_act', 'gelu_pytorch_tanh'),
      tiedHead: fields.boolean('tie_word_embeddings', true),
      mlpBias: false,
    },
  });
}

function create(build: Builder): Transformer {
  return new GemmaTransformer(build.config, build.weights, {
    ...build.embeddingAndHead({ embedding: 'embed_tokens', heads: ['lm_head'] }),
    blocks: build.blocks(
      (i) =>
        new SequentialBlock({
          beforeAttention: gemmaNorm(build, `layers.${i}.input_layernorm`),
          attention: build.attention(i),
          beforeMlp: gemmaNorm(build, `layers.${i}.post_attention_layernorm`),
          mlp: build.gatedMLP(`layers.${i}.mlp`),
        }),
    ),
    finalNorm: gemmaNorm(build, 'norm'),
  });
}

export const gemma: Family = {
  name: 'gemma',
  modelTypes: ['gemma'],
  models: 'Gemma, CodeGemma',
  features: 'scaled embeddings, norms that count from one',
  keys: {
    used: [...llamaKeys, 'hidden_act', 'attention_bias', 'use_bidirectional_attention'],
    idle: ['hidden_activation'],
  },
  prefixes: ['model.'],
  normsAfter: false,
  centeredByTransformerLens: false,
  readConfig,
  create,
};
