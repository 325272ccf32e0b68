/** The pairs among which an auction matches: the nearest ones, and those that rounds add. */
import type { Candidates } from '../../statistics/auction.js';
import type { Nearest } from './similarities.js';

export class CandidatePool {
  /** Values by column, of each row. */
  readonly #lists: Map<number, number>[];

  constructor(
    rows: number,
    private readonly columns: number,
  ) {
    this.#lists = Array.from({ length: rows }, () => new Map<number, number>());
  }

  /** @param prices what was taken off the values of the columns; default nothing. */
  add({ values, columns, count }: Nearest, prices?: Float64Array): void {
    this.#lists.forEach((list, row) => {
      for (let at = row * count; at < (row + 1) * count; at++) {
        const column = Number(columns[at]!);
        if (!list.has(column)) list.set(column, values[at]! + (prices?.[column] ?? 0));
      }
    });
  }

  /** The nearest rows of each column. */
  addTurned({ values, columns: rows, count }: Nearest): void {
    rows.forEach((row, at) => {
      const list = this.#lists[Number(row)]!;
      const column = Math.floor(at / count);
      if (!list.has(column)) list.set(column, values[at]!);
    });
  }

  candidates(): Candidates {
    const rows = this.#lists.length;
    const starts = new Int32Array(rows + 1);
    this.#lists.forEach((list, row) => (starts[row + 1] = starts[row]! + list.size));
    const columnAt = new Int32Array(starts[rows]!);
    const valueAt = new Float64Array(starts[rows]!);
    let edge = 0;
    for (const list of this.#lists)
      for (const [column, value] of list) {
        columnAt[edge] = column;
        valueAt[edge++] = value;
      }
    return { rows, columns: this.columns, starts, columnAt, valueAt };
  }
}
