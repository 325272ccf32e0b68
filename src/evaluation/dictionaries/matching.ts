/**
 * The best one-to-one matching of two sets of latents by their similarities: exact while all
 * similarities can be held, an auction among the nearest ones above that.
 */
import { assign } from '../../statistics/assignment.js';
import { auction, type Candidates } from '../../statistics/auction.js';
import { CandidatePool } from './candidate-pool.js';
import {
  allOf,
  nearest,
  someOf,
  worthAt,
  type Nearest,
  type Similarities,
} from './similarities.js';

export interface MatchingOptions {
  /** Most similarities that are held for an exact assignment; default 2²⁴, 4096². */
  exactUpTo?: number | undefined;
  /** Candidates that an auction has of each latent, on either side; default 32. */
  candidates?: number | undefined;
}

export interface Matching {
  method: 'exact' | 'auction';
  /** The similarity of each pair, by the latents of the smaller side. */
  values: Float64Array;
  /** The latent of the larger side that each latent of the smaller side has. */
  partnerOf: Int32Array;
  /** Most that the mean may fall short of the best; 0 if the assignment is exact. */
  gap: number;
  /** Candidates of each latent; null if all were. */
  candidates: number | null;
}

/** Values on which an exact assignment is fast. */
const heldValues = 2 ** 24;

/** Rounds of an auction, each with the candidates that the prices of the one before bring. */
const mostRounds = 6;

/** Candidates that a round adds to each row. */
const moreEachRound = 8;

/** Mean gap at which no other round follows. */
const goodGap = 1e-4;

/** The value of each row's column; 0 for rows that stay free: [rows]. */
function valuesAmong(
  { rows, starts, columnAt, valueAt }: Candidates,
  columnOf: Int32Array,
): Float64Array {
  const values = new Float64Array(rows);
  for (let row = 0; row < rows; row++)
    for (let edge = starts[row]!; edge < starts[row + 1]!; edge++)
      if (columnAt[edge] === columnOf[row]) values[row] = valueAt[edge]!;
  return values;
}

/** Pairs the rows that an auction left free with columns that it left free. */
function pairTheRest(
  similarities: Similarities,
  { columnOf, rowOf }: { columnOf: Int32Array; rowOf: Int32Array },
  { values, exactUpTo }: { values: Float64Array; exactUpTo: number },
): void {
  const rows = [...columnOf.keys()].filter((row) => columnOf[row] === -1);
  const columns = [...rowOf.keys()].filter((column) => rowOf[column] === -1);
  const pair = (row: number, at: number, value: number): void => {
    columnOf[row] = columns[at]!;
    values[row] = value;
  };
  const width = columns.length;
  if (rows.length * width <= exactUpTo) {
    const found = someOf(similarities, { rows, columns });
    const rest = assign({ rows: rows.length, columns: width, values: found });
    rest.columnOf.forEach((at, n) => pair(rows[n]!, at, found[n * width + at]!));
    return;
  }
  // One row after the other takes the best that is left.
  const free = new Uint8Array(width).fill(1);
  const atOnce = Math.max(1, Math.floor(exactUpTo / width));
  for (let from = 0; from < rows.length; from += atOnce) {
    const some = rows.slice(from, from + atOnce);
    const found = someOf(similarities, { rows: some, columns });
    some.forEach((row, n) => {
      let best = -1;
      for (let at = 0; at < width; at++)
        if (free[at] === 1 && (best < 0 || found[n * width + at]! > found[n * width + best]!))
          best = at;
      free[best] = 0;
      pair(row, best, found[n * width + best]!);
    });
  }
}

/**
 * Matches each row with a column of its own so that the similarities' mean is largest.
 * @param similarities at most as many rows as columns.
 */
export function match(
  similarities: Similarities,
  { exactUpTo = heldValues, candidates = 32 }: MatchingOptions = {},
): Matching {
  const { rows, columns } = similarities;
  if (rows * columns <= exactUpTo) {
    const values = allOf(similarities);
    const { columnOf } = assign({ rows, columns, values });
    return {
      method: 'exact',
      values: Float64Array.from(columnOf, (column, row) => values[row * columns + column]!),
      partnerOf: columnOf,
      gap: 0,
      candidates: null,
    };
  }
  const pool = new CandidatePool(rows, columns);
  pool.add(nearest(similarities, candidates));
  pool.addTurned(nearest(similarities.turned, candidates));
  let best: { values: Float64Array; partnerOf: Int32Array; total: number } | null = null;
  let upperBound = Infinity;
  for (let round = 0; round < mostRounds; round++) {
    const edges = pool.candidates();
    const found = auction(edges);
    // By weak duality: no assignment has a larger sum, whatever the prices are.
    const worth = nearest(worthAt(similarities, found.prices), moreEachRound);
    const bound = sum(found.prices) + sumOfLargest(worth);
    upperBound = Math.min(upperBound, bound);
    const values = valuesAmong(edges, found.columnOf);
    pairTheRest(similarities, found, { values, exactUpTo });
    const total = sum(values);
    if (best === null || total > best.total) best = { values, partnerOf: found.columnOf, total };
    if (upperBound - best.total <= goodGap * rows) break;
    pool.add(worth, found.prices);
  }
  return {
    method: 'auction',
    values: best!.values,
    partnerOf: best!.partnerOf,
    gap: Math.max(0, (upperBound - best!.total) / Math.max(1, rows)),
    candidates,
  };
}

const sum = (values: Float64Array): number => values.reduce((all, value) => all + value, 0);

/** Σ of the largest value of each row. */
function sumOfLargest({ values, count }: Nearest): number {
  let all = 0;
  for (let at = 0; at < values.length; at += count) all += values[at]!;
  return all;
}

/** Mean of the largest similarity of each row. */
export const meanLargest = (near: Nearest): number =>
  sumOfLargest(near) / (near.values.length / near.count);
