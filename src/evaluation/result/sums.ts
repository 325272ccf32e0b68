/**
 * Views of an accumulator as the sums that metrics read: of a batch, of the data set, of a
 * bootstrap resample.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import { cleanKey, slotKey, vectorKey, type CleanSum } from '../../metrics/keys.js';
import type { Column, Protocol, Sums } from '../../metrics/metric.js';
import type { Resampled } from './bootstrap.js';
import { sequencesColumn } from './resampled-units.js';

/** An SAE variant under a protocol, at some slots. */
export interface View {
  owner: string;
  protocol: Protocol;
  slots: readonly number[];
  width: number;
  /** Key of the positions that count under `strict`. */
  positions: string;
}

/** Key of a sum that belongs to no SAE, over the positions that the view counts. */
const cleanKeyOf = ({ protocol, positions }: View, name: CleanSum): string =>
  cleanKey(protocol, name, protocol === 'strict' ? positions : undefined);

function sumOf(values: Float64Array | null, from: number, to: number): number | null {
  if (values === null || values.length < to) return null;
  let total = 0;
  for (let i = from; i < to; i++) total += values[i]!;
  return total;
}

/** Sums over the sequences from `from` to `to`. Only the whole run has vectors. */
export function sumsOver(
  accumulator: Accumulator,
  view: View,
  { from = 0, to = accumulator.sequences }: { from?: number; to?: number } = {},
): Sums {
  const { owner, protocol, slots, width } = view;
  const clean = (name: CleanSum): number =>
    sumOf(accumulator.column(cleanKeyOf(view, name)), from, to) ?? 0;
  const whole = from === 0 && to === accumulator.sequences;
  return {
    sequences: to - from,
    positions: clean('positions'),
    nextPositions: clean('nextPositions'),
    ceClean: clean('ceClean'),
    slots,
    width,
    at: (slot, { name }) =>
      sumOf(accumulator.column(slotKey({ owner, protocol, slot }, name)), from, to),
    vector: ({ name }) => (whole ? accumulator.vector(vectorKey(owner, protocol, name)) : null),
  };
}

/** Names of columns and their places in the resampled sums. */
export type ColumnPlaces = ReadonlyMap<string, number>;

/** Sums of the resample `row()`: one object serves all rows. */
export function resampledSums(
  { sums, columns }: Resampled,
  places: ColumnPlaces,
  sequences: number,
  view: View,
  row: () => number,
): Sums {
  const { owner, protocol, slots, width } = view;
  // Looked up once: formulas ask ten thousand times.
  const placesOf = new Map<Column, (number | undefined)[]>();
  const placeOf = (slot: number, column: Column): number | undefined => {
    let found = placesOf.get(column);
    if (found === undefined) {
      found = [];
      for (const one of slots)
        found[one] = places.get(slotKey({ owner, protocol, slot: one }, column.name));
      placesOf.set(column, found);
    }
    return found[slot];
  };
  const [positions, nextPositions, ceClean] = (
    ['positions', 'nextPositions', 'ceClean'] as const
  ).map((name) => places.get(cleanKeyOf(view, name)));
  const drawn = places.get(sequencesColumn);
  const value = (place: number | undefined): number =>
    place === undefined ? 0 : sums[row() * columns + place]!;
  return {
    get sequences() {
      return drawn === undefined ? sequences : value(drawn);
    },
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
      const place = placeOf(slot, column);
      return place === undefined ? null : sums[row() * columns + place]!;
    },
    vector: () => null,
  };
}
