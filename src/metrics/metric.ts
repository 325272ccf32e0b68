/**
 * What a metric is: formulas over sums. Evaluation reduces every batch to sums per sequence; a
 * metric never sees a tensor.
 *
 * The same formula gives the value of a batch (`reference`: the result is the mean over batches),
 * of the whole data set (`strict`), of one layer (sums restricted to one slot) and of a bootstrap
 * resample.
 */
import type { MetricName, ProtocolName, ReferenceValues, StrictValues } from '../schema/index.js';

/**
 * Columns of sums per sequence, for each slot (a place an SAE is measured and spliced): `nmse` Σ
 * normalised squared error, `active` Σ active latents, `cosine`, `squaredError` Σ‖x̂−x‖²,
 * `squaredInput` Σ‖x‖², `squaredReconstruction` Σ‖x̂‖² over positions; `kl` Σ KL(clean ‖ spliced)
 * over positions; `ceSpliced`, `ceZero` Σ cross-entropy over next-token positions, with the splice
 * and with the site set to zero. Nats.
 */
export const slotColumns = [
  'nmse',
  'active',
  'cosine',
  'squaredError',
  'squaredInput',
  'squaredReconstruction',
  'kl',
  'ceSpliced',
  'ceZero',
] as const;
export type SlotColumn = (typeof slotColumns)[number];

/**
 * Vectors summed over the run: firings per latent [m], the sum of inputs [d], positions per routed
 * layer [R].
 */
export type VectorName = 'firing' | 'inputSum' | 'routed';

/** Sums of one SAE under one protocol over some set of sequences. */
export interface Sums {
  readonly sequences: number;
  /** Positions that count under the protocol: all (`reference`) or the real ones (`strict`). */
  readonly positions: number;
  /** Positions whose next token counts. */
  readonly nextPositions: number;
  /** Σ cross-entropy of the clean pass over next-token positions. */
  readonly ceClean: number;
  /** Slots that are there, by index. */
  readonly slots: readonly number[];
  /** Width of the residual stream. */
  readonly width: number;
  /** The column's sum at a slot; null where the kind or the request has none. */
  at(slot: number, column: SlotColumn): number | null;
  /** Only for the whole data set; null in batches and resamples. */
  vector(name: VectorName): Float64Array | null;
}

export type Formula = (sums: Sums) => number | null;

export interface Metric {
  /** The name it is asked for by. */
  readonly name: MetricName;
  /** Whether it needs logits of spliced passes, and of passes with the sites set to zero. */
  readonly needs: { readonly splice: boolean; readonly zero: boolean };
  /** Fields of `reference`, each a formula of a batch. */
  readonly reference: Partial<Record<NumberField<ReferenceValues>, Formula>>;
  /**
   * Fields of `strict`, each a formula of the data set; `interval: false` where no bootstrap is
   * defined.
   */
  readonly strict: Partial<Record<EstimateField, { formula: Formula; interval: boolean }>>;
}

type NumberField<T> = { [K in keyof T]: T[K] extends number | null ? K : never }[keyof T];
export type EstimateField = {
  [K in keyof StrictValues]: StrictValues[K] extends { mean: number } | null ? K : never;
}[keyof StrictValues];
export type ReferenceField = NumberField<ReferenceValues>;
export type Protocol = ProtocolName;

/** The mean over slots of what `value` gives; null where a slot has nothing. */
export function meanOverSlots(sums: Sums, value: (slot: number) => number | null): number | null {
  let total = 0;
  for (const slot of sums.slots) {
    const one = value(slot);
    if (one === null) return null;
    total += one;
  }
  return sums.slots.length === 0 ? null : total / sums.slots.length;
}

/** Σ of a column over the slots that have it, and how many have it. */
export function totalOverSlots(sums: Sums, column: SlotColumn): { total: number; slots: number } {
  let total = 0;
  let slots = 0;
  for (const slot of sums.slots) {
    const one = sums.at(slot, column);
    if (one === null) continue;
    total += one;
    slots += 1;
  }
  return { total, slots };
}

/** The mean of a column over (position, slot) pairs. */
export function meanOverPositions(sums: Sums, column: SlotColumn): number | null {
  const { total, slots } = totalOverSlots(sums, column);
  return slots === 0 || sums.positions === 0 ? null : total / (sums.positions * slots);
}
