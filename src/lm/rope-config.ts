/**
 * Settings of rotary position embeddings. They come from `rope_parameters` (transformers 5), or
 * from `rope_theta` with `rope_scaling`. Older files have `type` for `rope_type` and `su` for
 * `longrope`.
 */
import type { JsonFields } from './json-fields.js';

export type RopeScaling =
  | { kind: 'default' }
  | { kind: 'linear'; factor: number }
  | { kind: 'dynamic'; factor: number; maxPositions: number }
  | {
      kind: 'yarn';
      factor: number;
      attentionFactor: number;
      betaFast: number;
      betaSlow: number;
      originalPositions: number;
      truncate: boolean;
    }
  | {
      kind: 'longrope';
      attentionFactor: number;
      shortFactor: readonly number[];
      longFactor: readonly number[];
      originalPositions: number;
    }
  | {
      kind: 'llama3';
      factor: number;
      lowFreqFactor: number;
      highFreqFactor: number;
      originalPositions: number;
    };

export interface RopeConfig {
  /** Base of the frequencies. */
  theta: number;
  /** Number of rotated dimensions of a head. An odd number counts as the next even one. */
  dim: number;
  scaling: RopeScaling;
  /** Whether the dimensions 2i and 2i + 1 rotate together, not i and i + dim/2. */
  interleaved?: true;
}

export interface RopeDefaults {
  headDim: number;
  maxPositions: number;
  theta?: number;
  /** Default share of a head that is rotated; null if the family always rotates whole heads. */
  partial?: number | null;
  /** Trained length if the file does not give it. Default `maxPositions`. */
  originalPositions?: number;
  /** Whether `yarn` means LongRoPE, as in Phi-3's first files. */
  yarnIsLongrope?: boolean;
  /** Whether neighboring dimensions rotate together. */
  interleaved?: true;
}

/** YaRN's factor on cosines and sines (eq. 22), or DeepSeek's variant of it. */
function yarnAttention(factor: number, mscale: number | null, mscaleAllDim: number | null): number {
  const of = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  return mscale !== null && mscaleAllDim !== null && mscale !== 0 && mscaleAllDim !== 0
    ? of(mscale) / of(mscaleAllDim)
    : of(1);
}

function readScaling(
  rope: JsonFields,
  config: JsonFields,
  {
    maxPositions,
    dim,
    originalPositions: trained,
    yarnIsLongrope = false,
  }: RopeDefaults & { dim: number },
): RopeScaling {
  const named = rope.string('rope_type', rope.string('type', 'default'));
  const kind = named === 'yarn' && yarnIsLongrope ? 'longrope' : named;
  // The model's own field wins over the section's, as in transformers.
  const originalPositions = config.size(
    'original_max_position_embeddings',
    rope.size('original_max_position_embeddings', trained ?? maxPositions),
  );
  switch (kind) {
    case 'default':
    case 'mrope': // one text position in all its sections
      return { kind: 'default' };
    case 'linear':
      return { kind, factor: rope.number('factor') };
    case 'dynamic':
      if (dim <= 2)
        rope.unsupported('rope_type', 'more than two rotated dimensions for dynamic scaling');
      return { kind, factor: rope.number('factor'), maxPositions };
    case 'yarn': {
      if (dim % 2 !== 0)
        rope.unsupported('rope_type', 'an even number of rotated dimensions for YaRN');
      const factor = rope.number('factor', maxPositions / originalPositions);
      return {
        kind,
        factor,
        attentionFactor: rope.number(
          'attention_factor',
          yarnAttention(factor, rope.number('mscale', null), rope.number('mscale_all_dim', null)),
        ),
        betaFast: rope.number('beta_fast', 32) || 32, // 0 is none, as in transformers
        betaSlow: rope.number('beta_slow', 1) || 1,
        originalPositions,
        // As in transformers, null is false and absence is true.
        truncate: rope.boolean('truncate', !rope.names().includes('truncate')),
      };
    }
    case 'longrope':
    case 'su': {
      // For a single one, transformers computes what its shapes happen to give.
      if (dim < 2) rope.unsupported('rope_type', 'more than one rotated dimension for LongRoPE');
      const factor = rope.number('factor', maxPositions / originalPositions);
      const list = (name: string): number[] => {
        const factors = rope.numbers(name);
        if (factors?.length !== Math.ceil(dim / 2))
          rope.invalid(name, `a list of ${Math.ceil(dim / 2)} numbers (one per rotated pair)`);
        return factors;
      };
      return {
        kind: 'longrope',
        attentionFactor: rope.number(
          'attention_factor',
          factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalPositions)),
        ),
        shortFactor: list('short_factor'),
        longFactor: list('long_factor'),
        originalPositions,
      };
    }
    case 'llama3':
      return {
        kind,
        factor: rope.number('factor'),
        lowFreqFactor: rope.number('low_freq_factor'),
        highFreqFactor: rope.number('high_freq_factor'),
        originalPositions,
      };
    default:
      return rope.unsupported(
        rope.has('rope_type') ? 'rope_type' : 'type',
        'one of default, linear, dynamic, yarn, longrope, llama3',
      );
  }
}

/**
 * Share of a head that is rotated in families that rotate whole heads: 1. transformers ignores the
 * file's share without a scaling, and has no code for both.
 */
function wholeHeads(rope: JsonFields, config: JsonFields, section: JsonFields | null): number {
  const given = rope.number('partial_rotary_factor', config.number('partial_rotary_factor', 1));
  const kind = section?.string('rope_type', section.string('type', 'default')) ?? 'default';
  if (given !== 1 && kind !== 'default')
    rope.unsupported('partial_rotary_factor', 'none: this family rotates whole heads');
  return 1;
}

/** Rotary settings from a section, or from the fields of the file if there is no section. */
export function readRopeSection(
  section: JsonFields | null,
  config: JsonFields,
  defaults: RopeDefaults,
): RopeConfig {
  const { headDim, theta = 10_000, partial = null } = defaults;
  const rope = section ?? config;
  const share =
    partial === null
      ? wholeHeads(rope, config, section)
      : rope.number('partial_rotary_factor', config.number('partial_rotary_factor', partial));
  const dim = Math.trunc(headDim * share);
  if (dim < 1 || dim + (dim % 2) > headDim)
    rope.invalid(
      'partial_rotary_factor',
      `a share of the head's ${headDim} dimensions from one pair to all of them`,
    );
  return {
    theta: rope.number('rope_theta', config.number('rope_theta', theta)),
    dim,
    scaling:
      section === null ? { kind: 'default' } : readScaling(section, config, { ...defaults, dim }),
    ...(defaults.interleaved === undefined ? {} : { interleaved: true }),
  };
}

/**
 * Rotary settings of one sort of blocks, in families whose sorts have sections of their own.
 * transformers looks for some fields only outside these sections, where this family has none.
 */
export function readRopeOfSort(
  section: JsonFields | null,
  config: JsonFields,
  defaults: RopeDefaults,
): RopeConfig {
  if (section?.value('truncate') === false)
    section.unsupported('truncate', 'true: transformers does not see it in a section of a sort');
  if (section?.has('type') === true && !section.has('rope_type'))
    section.unsupported('type', "'rope_type': transformers does not see 'type' in this family");
  return readRopeSection(
    section,
    config.with({ original_max_position_embeddings: null }),
    defaults,
  );
}

/**
 * Section of the blocks without a window, in families whose sorts have sections of their own: the
 * newer one, or that of older files.
 */
export function sectionOfFullBlocks(config: JsonFields): JsonFields | null {
  const older = config.section('rope_scaling');
  const newer = config.section('rope_parameters')?.section('full_attention') ?? null;
  if (older !== null && newer !== null)
    config.unsupported('rope_scaling', 'nothing beside rope_parameters');
  return newer ?? older;
}

/** Rotary settings of a model whose blocks all have the same. */
export function readRope(config: JsonFields, defaults: RopeDefaults): RopeConfig {
  // As in transformers, the older field wins if both are there, and an empty one counts as none.
  const older = config.section('rope_scaling');
  return readRopeSection(
    (older === null || older.names().length === 0 ? null : older) ??
      config.section('rope_parameters'),
    config,
    defaults,
  );
}
