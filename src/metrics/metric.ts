/**
 * A metric: the sums it needs and formulas over those sums. Every batch is reduced to columns (sums
 * per sequence) and vectors (sums over the run); a formula never sees a tensor.
 *
 * The same formula gives the value of a batch (`reference`: the result is the mean over batches),
 * of the whole data set (`strict`), of one layer (sums restricted to one slot) and of a bootstrap
 * resample.
 */
import type { Bilingual } from '../bilingual.js';
import type { Tensor } from '../torch/index.js';
import type { Measurement } from './measurement.js';
import type { PeerProtocol } from './peers/protocols.js';
import type { ShapeValues } from './value.js';

export type Protocol = 'reference' | 'strict';

/** A protocol of this project, or one of another tool. */
export type AnyProtocol = Protocol | PeerProtocol;

/** Sums per sequence of a reconstruction's values, for each slot. */
export interface ReconstructionColumn {
  readonly name: string;
  /** Quantity whose sum it is, for `sums.safetensors`. */
  readonly meaning?: string;
  readonly from: 'reconstruction';
  readonly protocols: readonly Protocol[];
  /** Whether the part on special tokens is kept apart too. */
  readonly ofSpecials?: true;
  /** Values of the tokens: [N]. Null if the SAE has none at this slot. */
  readonly values: (measurement: Measurement) => Tensor | null;
}

/** Sums per sequence of values read from the logits of a spliced pass, for each slot. */
export interface SpliceColumn {
  readonly name: string;
  /** Quantity whose sum it is, for `sums.safetensors`. */
  readonly meaning?: string;
  readonly from: 'splice';
  /** Whether all positions count, or those whose next token counts. */
  readonly over: 'positions' | 'nextPositions';
  /**
   * Values of the tokens from KL(clean ‖ spliced) and cross-entropy, in nats, and from whether both
   * passes have the same most likely next token: [N] each. Null if it was not looked at.
   */
  readonly values: (logits: { kl: Tensor; ce: Tensor; agrees?: Tensor }) => Tensor | null;
}

/** Sums per sequence of values read from the logits of a pass with the site set to zero. */
export interface ZeroColumn {
  readonly name: string;
  /** Quantity whose sum it is, for `sums.safetensors`. */
  readonly meaning?: string;
  readonly from: 'zero';
  readonly over: 'positions' | 'nextPositions';
  /** Values of the tokens from the cross-entropy, in nats: [N]. */
  readonly values: (logits: { ce: Tensor }) => Tensor;
}

export type Column = ReconstructionColumn | SpliceColumn | ZeroColumn;

/** A sum over the run. */
export interface Vector {
  readonly name: string;
  /** Quantity whose sum it is, for `sums.safetensors`. */
  readonly meaning?: string;
  readonly protocols: readonly Protocol[];
  /** Sum over the counted tokens ([N] bool): [n]. Null if the SAE has none at this slot. */
  readonly values: (measurement: Measurement, counted: Tensor) => Tensor | null;
}

/** Sums of one SAE under one protocol over some set of sequences. */
export interface Sums {
  readonly sequences: number;
  /** Positions that count under the protocol: all (`reference`) or the real ones (`strict`). */
  readonly positions: number;
  /** Positions whose next token counts. */
  readonly nextPositions: number;
  /** Cross-entropy of the clean pass, summed over next-token positions, in nats. */
  readonly ceClean: number;
  /** Indices of the slots. */
  readonly slots: readonly number[];
  /** Width of the residual stream. */
  readonly width: number;
  /** The column's sum at a slot; null if the SAE or the request has none. */
  at(slot: number, column: Column): number | null;
  /** The vector over the whole run; null in batches and resamples. */
  vector(vector: Vector): Float64Array | null;
}

export type Formula<Value = number> = (sums: Sums) => Value | null;

/** Direction of better values; `neither` if a value is not good or bad by itself. */
export type Better = 'lower' | 'higher' | 'neither';

interface FieldBase {
  /** Name in `reference` or `strict` of a result. */
  readonly field: string;
  readonly protocol: Protocol;
  readonly name: Bilingual;
  readonly meaning: Bilingual;
  /** The formula as text, in Markdown. */
  readonly formula: string;
  /** Unit of the value; null for ratios without one. */
  readonly unit: 'nats per token' | 'nats per sequence' | 'latents' | 'positions' | 'share' | null;
  readonly better: Better;
  /** Whether the value is an error in the space of the SAE's input, after its normalization. */
  readonly inInputSpace?: true;
  /** Whether a result leaves it out if it has no value, instead of null with a reason. */
  readonly optional?: true;
  /** Reason for a null value that neither the request nor the protocol explains. */
  readonly absent?: Bilingual;
}

/** A field whose value is a single number. */
export interface ScalarField extends FieldBase {
  readonly shape: 'number' | 'estimate';
  /** Whether a bootstrap over sequences gives an interval (`strict` only). */
  readonly interval?: true;
  /** Whether kinds with several layers have the value for each layer. */
  readonly perLayer?: true;
  /** Whether a result has the paired differences between SAEs (`strict` only). */
  readonly compared?: true;
  readonly value: Formula;
}

/** A field whose value is a list or a histogram, computed over the whole run. */
export interface WholeField<S extends 'list' | 'histogram'> extends FieldBase {
  readonly shape: S;
  readonly interval?: never;
  readonly perLayer?: never;
  readonly compared?: never;
  readonly value: Formula<ShapeValues[S]>;
}

export type Field = ScalarField | WholeField<'list'> | WholeField<'histogram'>;

export interface Metric {
  /** The name in `metrics` of a request. */
  readonly name: string;
  readonly columns?: readonly Column[];
  readonly vectors?: readonly Vector[];
  readonly fields: readonly Field[];
}

/** Type of a result's values under a protocol: those of all fields, or of the `Kept` ones. */
export type ValuesOf<M extends Metric, P extends Protocol, Kept = unknown> = {
  [
    F in Exclude<
      Extract<M['fields'][number], { protocol: P } & Kept>,
      { optional: true }
    > as F['field']
  ]: ShapeValues[F['shape']] | null;
} & {
  [F in Extract<M['fields'][number], { protocol: P; optional: true } & Kept> as F['field']]?:
    ShapeValues[F['shape']] | null;
};

/** The mean over slots of a value; null if a slot has none. */
export function meanOverSlots(sums: Sums, value: (slot: number) => number | null): number | null {
  let total = 0;
  for (const slot of sums.slots) {
    const one = value(slot);
    if (one === null) return null;
    total += one;
  }
  return sums.slots.length === 0 ? null : total / sums.slots.length;
}

/** The sum of a column over the slots that have it, and their number. */
export function totalOverSlots(sums: Sums, column: Column): { total: number; slots: number } {
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
export function meanOverPositions(sums: Sums, column: Column): number | null {
  const { total, slots } = totalOverSlots(sums, column);
  return slots === 0 || sums.positions === 0 ? null : total / (sums.positions * slots);
}
