/**
 * Reads the parts of `config.json` that families share. Defaults are those of transformers'
 * configuration classes.
 */
import { activations, type MlpActivation } from './activation.js';
import type { ModelConfig } from './config.js';
import type { FamilyConfig } from './family.js';
import type { JsonFields } from './json-fields.js';
import { readRope, type RopeConfig } from './rope-config.js';

/** Limit on the number of blocks: lists of that length are made before any weight is seen. */
export const mostLayers = 10_000;

/** Reads an activation's name. @throws SaeEvalError `model-unsupported` if it is unknown. */
export function readActivation(fields: JsonFields, name: string, fallback: string): MlpActivation {
  return (
    activations.get(fields.string(name, fallback)) ??
    fields.unsupported(name, `one of ${[...activations.keys()].join(', ')}`)
  );
}

export type Sizes = Pick<
  ModelConfig,
  | 'layers'
  | 'width'
  | 'vocabulary'
  | 'maxPositions'
  | 'heads'
  | 'keyValueHeads'
  | 'headDim'
  | 'mlpWidth'
>;

interface SharedWidth {
  width: number;
  heads: number;
  /** Names of the two in the file. */
  names: { width: string; heads: string };
}

/** Size of a head if the width is divided among the heads. */
export function dividedWidth(fields: JsonFields, { width, heads, names }: SharedWidth): number {
  if (width % heads !== 0) fields.invalid(names.heads, `a divisor of ${names.width} (${width})`);
  return width / heads;
}

/** Size of a head: `head_dim`, or the width divided among the heads. */
export function headDimOf(
  fields: JsonFields,
  { fallback, ...shared }: SharedWidth & { fallback?: number },
): number {
  return fields.size('head_dim', fallback ?? null) ?? dividedWidth(fields, shared);
}

/** Sizes that the files of a family may leave out. */
export type SizeDefaults = Partial<
  Pick<Sizes, 'vocabulary' | 'maxPositions' | 'heads' | 'keyValueHeads' | 'headDim' | 'mlpWidth'>
>;

/**
 * Whole number under a name, or under the other name that transformers has for it.
 * @throws SaeEvalError `model-unsupported` if the file has both, with different values.
 */
export function readAliased(
  fields: JsonFields,
  { name, alias, fallback }: { name: string; alias: string; fallback: number },
  limits: { atMost?: number } = {},
): number {
  const other = fields.size(alias, null, limits);
  const value = fields.size(name, other ?? fallback, limits);
  if (other !== null && other !== value)
    fields.unsupported(alias, `the value of ${name} (${value}), which is the same setting`);
  return value;
}

/** Sizes under the names that most families share. */
export function readSizes(
  fields: JsonFields,
  {
    headDim,
    mlpWidthName = 'intermediate_size',
    ...defaults
  }: SizeDefaults & { mlpWidthName?: string } = {},
): Sizes {
  const width = fields.size('hidden_size');
  const heads = fields.size<number>('num_attention_heads', defaults.heads);
  // As in transformers, null means as many as there are heads, whatever the family's default.
  const keyValueHeads = fields.size(
    'num_key_value_heads',
    fields.names().includes('num_key_value_heads') ? heads : (defaults.keyValueHeads ?? heads),
  );
  if (heads % keyValueHeads !== 0)
    fields.invalid('num_key_value_heads', `a divisor of the ${heads} attention heads`);
  return {
    layers: fields.size<number>('num_hidden_layers', undefined, { atMost: mostLayers }),
    width,
    vocabulary: fields.size<number>('vocab_size', defaults.vocabulary),
    maxPositions: fields.size<number>('max_position_embeddings', defaults.maxPositions),
    heads,
    keyValueHeads,
    headDim: headDimOf(fields, {
      width,
      heads,
      names: { width: 'hidden_size', heads: 'num_attention_heads' },
      ...(headDim === undefined ? {} : { fallback: headDim }),
    }),
    mlpWidth: fields.size<number>(mlpWidthName, defaults.mlpWidth),
  };
}

/** Number of a field whose `null` means none and whose absence means the family's default. */
export function numberOrNone(fields: JsonFields, name: string, fallback: number): number | null {
  return fields.names().includes(name) ? fields.number(name, null) : fallback;
}

/** The same of a window or a chunk: a number of positions. */
export function windowOrNone(fields: JsonFields, name: string, fallback: number): number | null {
  return fields.names().includes(name) ? fields.size(name, null) : fallback;
}

/** One value for each block, whose index counts from 0. */
export function perBlock<T>(layers: number, of: (index: number) => T): T[] {
  return Array.from({ length: layers }, (_, index) => of(index));
}

/**
 * Configuration of a transformer. Everything that the options leave out is read as for Llama.
 * @param options.rope rotary settings of all blocks; null if the family has none, or sets `ropes`.
 * @param options.differences fields that the family reads in its own way.
 */
export function readTransformer(
  fields: JsonFields,
  {
    sizes = readSizes(fields),
    rope = readRope(fields, sizes),
    differences = {},
  }: { sizes?: Sizes; rope?: RopeConfig | null; differences?: Partial<FamilyConfig> } = {},
): FamilyConfig {
  // A default is read only if the family does not read the field in its own way.
  const {
    normEps = fields.number('rms_norm_eps', 1e-6),
    activation = readActivation(fields, 'hidden_act', 'silu'),
    tiedHead = fields.boolean('tie_word_embeddings', false),
    attentionBias = fields.boolean('attention_bias', false),
    mlpBias = fields.boolean('mlp_bias', false),
    ...others
  } = differences;
  return {
    ...sizes,
    // Dynamic scaling is for sequences beyond the trained length.
    maxPositions:
      rope?.scaling.kind === 'dynamic'
        ? Math.floor(sizes.maxPositions * rope.scaling.factor)
        : sizes.maxPositions,
    normEps,
    activation,
    tiedHead,
    attentionBias,
    mlpBias,
    windows: perBlock(sizes.layers, () => null),
    ropes: perBlock(sizes.layers, () => rope),
    attentionScale: perBlock(sizes.layers, () => sizes.headDim ** -0.5),
    attentionSoftcap: null,
    logitSoftcap: null,
    embeddingScale: null,
    residualScale: 1,
    logitScale: null,
    parallelResidual: false,
    ...others,
  };
}

/** Whether each block has a sliding window: from `layer_types`, or by the family's own rule. */
export function readSliding(
  fields: JsonFields,
  layers: number,
  rule: (index: number) => boolean,
): boolean[] {
  const types = fields.strings('layer_types');
  if (types === null) return perBlock(layers, rule);
  if (types.length !== layers) fields.invalid('layer_types', `a list of ${layers}, one per block`);
  return types.map((type) => {
    if (type !== 'sliding_attention' && type !== 'full_attention')
      fields.unsupported('layer_types', 'sliding_attention or full_attention for each block');
    return type === 'sliding_attention';
  });
}

/** Window of each block; null if the block has none. */
export function readWindows(
  fields: JsonFields,
  layers: number,
  { size, rule }: { size: number | null; rule: (index: number) => boolean },
): (number | null)[] {
  return readSliding(fields, layers, rule).map((slides) => (slides ? size : null));
}
