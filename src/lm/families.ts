/**
 * The families of language models and how each one's `config.json` is read. Loads nothing native: the forward passes are
 * in a file per family and joined to these in `registry.ts`.
 */
import { SaeEvalError } from '../errors.js';
import type { Activation, ModelConfig } from './config.js';
import type { JsonFields } from './json-fields.js';
import { readRope } from './rope-config.js';

export const familyNames = ['llama'] as const;
export type FamilyName = (typeof familyNames)[number];

export interface Family {
  /** `model_type` values of `config.json`. */
  modelTypes: readonly string[];
  read(config: JsonFields): Omit<ModelConfig, 'path'>;
}

const activations: Readonly<Record<string, Activation>> = {
  silu: 'silu', swish: 'silu', gelu: 'gelu', relu: 'relu',
  gelu_new: 'gelu_tanh', gelu_pytorch_tanh: 'gelu_tanh', gelu_fast: 'gelu_tanh',
};

export function readActivation(config: JsonFields, name: string, fallback: string): Activation {
  return activations[config.string(name, fallback)] ?? config.unsupported(name, `one of ${Object.keys(activations).join(', ')}`);
}

/** Sizes that most families name alike. */
export function readSizes(config: JsonFields): Pick<ModelConfig, 'layers' | 'width' | 'vocabulary' | 'maxPositions' | 'heads' | 'keyValueHeads' | 'headDim' | 'mlpWidth'> {
  const width = config.size('hidden_size');
  const heads = config.size('num_attention_heads');
  const keyValueHeads = config.size('num_key_value_heads', heads);
  if (heads % keyValueHeads !== 0) config.invalid('num_key_value_heads', `a divisor of the ${heads} attention heads`);
  const given = config.size('head_dim', null);
  if (given === null && width % heads !== 0) config.invalid('num_attention_heads', `a divisor of hidden_size (${width}), or head_dim beside it`);
  return {
    layers: config.size('num_hidden_layers'),
    width,
    vocabulary: config.size('vocab_size'),
    maxPositions: config.size('max_position_embeddings'),
    heads,
    keyValueHeads,
    headDim: given ?? width / heads,
    mlpWidth: config.size('intermediate_size'),
  };
}

export function eachLayer<T>(layers: number, of: (index: number) => T): T[] {
  return Array.from({ length: layers }, (_, index) => of(index));
}

const llama: Family = {
  modelTypes: ['llama'],
  read(config) {
    const sizes = readSizes(config);
    const rope = readRope(config, sizes);
    return {
      ...sizes,
      family: 'llama',
      normEps: config.number('rms_norm_eps', 1e-6),
      activation: readActivation(config, 'hidden_act', 'silu'),
      tiedHead: config.boolean('tie_word_embeddings', false),
      attentionBias: config.boolean('attention_bias', false),
      mlpBias: config.boolean('mlp_bias', false),
      windows: eachLayer(sizes.layers, () => null),
      ropes: eachLayer(sizes.layers, () => rope),
      attentionScale: sizes.headDim ** -0.5,
      attentionSoftcap: null,
      logitSoftcap: null,
      parallelResidual: false,
    };
  },
};

export const families: Readonly<Record<FamilyName, Family>> = { llama };

/** @throws SaeEvalError `model-unsupported` with the families there are. */
export function familyOf(config: JsonFields): Family {
  const type = config.string('model_type', null);
  const found = Object.values(families).find(({ modelTypes }) => type !== null && modelTypes.includes(type));
  if (found === undefined) {
    throw new SaeEvalError('model-unsupported', `${config.file}: model_type: expected one of ${Object.values(families).flatMap(({ modelTypes }) => modelTypes).join(', ')}, found ${type ?? 'nothing'}.`);
  }
  return found;
}
