/**
 * Views of an accumulator as the sums that metrics read: of a batch, of the data set, of a
 * bootstrap resample.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import type { Resampled } from './bootstrap.js';
import {
  slotColumns,
  type Protocol,
  type SlotColumn,
  type Sums,
  type VectorName,
} from '../../metrics/metric.js';
import { cleanKey, slotKey, vectorKey } from '../engine/collector.js';

/** Which SAE variant, under which protocol, at which slots. */
export interface View {
  owner: string;
  protocol: Protocol;
  slots: readonly number[];
  width: number;
}

function sumOf(values: Float64Array | null, from: number, to: number): number | null {
  if (values === null || values.length < to) return null;
  let total = 0;
  for (let i = from; i < to; i++) total += values[i]!;
  return total;
}

/**
 * Sums over the sequences from `from` to `to`. Vectors are the run's, so only for the whole of it.
 */
export function sumsOver(
  accumulator: Accumulator,
  { owner, protocol, slots, width }: View,
  { from = 0, to = accumulator.sequences }: { from?: number; to?: number } = {},
): Sums {
  const clean = (name: 'positions' | 'nextPositions' | 'ceClean'): number =>
    sumOf(accumulator.column(cleanKey(protocol, name)), from, to) ?? 0;
  const whole = from === 0 && to === accumulator.sequences;
  return {
    sequences: to - from,
    positions: clean('positions'),
    nextPositions: clean('nextPositions'),
    ceClean: clean('ceClean'),
    slots,
    width,
    at: (slot: number, column: SlotColumn) =>
      sumOf(accumulator.column(slotKey({ owner, protocol, slot }, column)), from, to),
    vector: (name: VectorName) =>
      whole ? accumulator.vector(vectorKey(owner, protocol, name)) : null,
  };
}

/** Names of columns and their places in the resampled sums. */
export type ColumnPlaces = ReadonlyMap<string, number>;

/** Sums of one resample; reads row `row()` so that one object serves all rows. */
export function resampledSums(
  { sums, columns }: Resampled,
  places: ColumnPlaces,
  sequences: number,
  { owner, protocol, slots, width }: View,
  row: () => number,
): Sums {
  // Looked up once: formulas ask ten thousand times.
  const placeOf = Object.fromEntries(
    slotColumns.map((column) => [column, [] as (number | undefined)[]]),
  ) as Record<SlotColumn, (number | undefined)[]>;
  for (const slot of slots)
    for (const column of slotColumns)
      placeOf[column][slot] = places.get(slotKey({ owner, protocol, slot }, column));
  const [positions, nextPositions, ceClean] = (
    ['positions', 'nextPositions', 'ceClean'] as const
  ).map((name) => places.get(cleanKey(protocol, name)));
  const value = (place: number | undefined): number =>
    place === undefined ? 0 : sums[row() * columns + place]!;
  return {
    sequences,
    get positions() {
      return value(positions);
    },
    get nextPositions() {
      return value(nextPositions);
    },
    get ceClean() {
      return value(ceClean);
    },
    slots,
    width,
    at: (slot, column) => {
      const place = placeOf[column][slot];
      return place === undefined ? null : sums[row() * columns + place]!;
    },
    vector: () => null,
  };
}
