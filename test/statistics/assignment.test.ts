/**
 * Assignments against scipy's linear_sum_assignment (test/golden/dictionaries/make.py). The
 * assignment may be another one of the same sum; sums differ by rounding, below 1e-6.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assign } from '#src/statistics/assignment.js';
import { auction, type Candidates } from '#src/statistics/auction.js';
import { golden } from '../golden/load.js';

interface Matrix {
  rows: number;
  columns: number;
  values: number[];
  total: number;
}
const { matrices } = JSON.parse(readFileSync(golden('dictionaries/expected.json'), 'utf8')) as {
  matrices: Matrix[];
};

/** Every pair as a candidate, with values shifted above 0 so that no row stays free. */
function everyPair({ rows, columns, values }: Matrix, shift: number): Candidates {
  return {
    rows,
    columns,
    starts: Int32Array.from({ length: rows + 1 }, (_, row) => row * columns),
    columnAt: Int32Array.from(values, (_, at) => at % columns),
    valueAt: Float64Array.from(values, (value) => value + shift),
  };
}

describe('an assignment', () => {
  it.each(matrices)('of $rows × $columns has the sum that scipy finds', (matrix) => {
    const values = Float64Array.from(matrix.values);
    const { columnOf, total } = assign({ ...matrix, values });
    expect(new Set(columnOf).size).toBe(matrix.rows);
    expect(Math.min(...columnOf)).toBeGreaterThanOrEqual(0);
    expect(Math.abs(total - matrix.total)).toBeLessThan(1e-6);
  });

  it('is refused with more rows than columns, and for values that are not finite', () => {
    expect(() => assign({ rows: 2, columns: 1, values: new Float64Array(2) })).toThrow('columns');
    const values = new Float64Array([NaN, NaN]);
    expect(() => assign({ rows: 1, columns: 2, values })).toThrow('finite');
  });
});

describe('an auction', () => {
  it.each(matrices)('of $rows × $columns comes as near to it as ε says', (matrix) => {
    const epsilon = 1e-4;
    const shift = 10;
    const pairs = everyPair(matrix, shift);
    const { columnOf, rowOf, prices } = auction(pairs, { epsilon });
    expect(new Set(columnOf).size).toBe(matrix.rows);
    const total = columnOf.reduce((sum, j, i) => sum + matrix.values[i * matrix.columns + j]!, 0);
    expect(total).toBeLessThan(matrix.total + 1e-6);
    expect(total).toBeGreaterThan(matrix.total - matrix.rows * epsilon - 1e-9);
    // Columns that nobody holds cost nothing, which makes the prices an upper bound.
    rowOf.forEach((row, column) => {
      if (row === -1) expect(prices[column]).toBe(0);
    });
  });

  it('leaves a row free whose candidates others want more', () => {
    const { columnOf } = auction({
      rows: 3,
      columns: 2,
      starts: Int32Array.of(0, 2, 4, 5),
      columnAt: Int32Array.of(0, 1, 0, 1, 1),
      valueAt: Float64Array.of(0.9, 0.8, 0.9, 0.1, 0.5),
    });
    expect([...columnOf]).toEqual([1, 0, -1]);
  });
});
