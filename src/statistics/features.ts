/** Features of documents: sparse rows, or a few dense columns. */

/** A matrix by rows, of which only what is not 0 is kept. */
export interface SparseRows {
  readonly columns: number;
  /** Entries of row i: `starts[i]` … `starts[i + 1] − 1`. */
  readonly starts: Float64Array; // [rows + 1]
  readonly columnAt: Int32Array; // [entries]
  readonly valueAt: Float32Array | Float64Array; // [entries]
}

/** Sparse rows that are written one after the other. */
export class SparseBuilder {
  readonly #starts: number[] = [0];
  readonly #columns: Int32Array[] = [];
  readonly #values: Float32Array[] = [];
  #entries = 0;

  constructor(private readonly columns: number) {}

  /** Adds rows of a dense matrix: [count · columns]. */
  add(dense: Float32Array | Float64Array): void {
    for (let from = 0; from < dense.length; from += this.columns) {
      const row = dense.subarray(from, from + this.columns);
      const at: number[] = [];
      row.forEach((value, column) => {
        if (value !== 0) at.push(column);
      });
      this.#columns.push(Int32Array.from(at));
      this.#values.push(Float32Array.from(at, (column) => row[column]!));
      this.#starts.push((this.#entries += at.length));
    }
  }

  rows(): SparseRows {
    const columnAt = new Int32Array(this.#entries);
    const valueAt = new Float32Array(this.#entries);
    this.#columns.forEach((at, row) => {
      columnAt.set(at, this.#starts[row]);
      valueAt.set(this.#values[row]!, this.#starts[row]);
    });
    return { columns: this.columns, starts: Float64Array.from(this.#starts), columnAt, valueAt };
  }
}

/** Mean of some rows: [columns]. */
export function meanOf(
  { columns, starts, columnAt, valueAt }: SparseRows,
  rows: readonly number[],
): Float64Array {
  const sum = new Float64Array(columns);
  for (const row of rows)
    for (let entry = starts[row]!; entry < starts[row + 1]!; entry++)
      sum[columnAt[entry]!]! += valueAt[entry]!;
  return rows.length === 0 ? sum : sum.map((value) => value / rows.length);
}

/** Some columns of all rows, as sparse rows of that width. */
export function columnsOf(all: SparseRows, chosen: readonly number[]): SparseRows {
  const place = new Int32Array(all.columns).fill(-1);
  chosen.forEach((column, at) => (place[column] = at));
  const columnAt: number[] = [];
  const valueAt: number[] = [];
  const starts = new Float64Array(all.starts.length);
  for (let row = 0; row + 1 < all.starts.length; row++) {
    for (let entry = all.starts[row]!; entry < all.starts[row + 1]!; entry++) {
      const at = place[all.columnAt[entry]!]!;
      if (at < 0) continue;
      columnAt.push(at);
      valueAt.push(all.valueAt[entry]!);
    }
    starts[row + 1] = columnAt.length;
  }
  return {
    columns: chosen.length,
    starts,
    columnAt: Int32Array.from(columnAt),
    valueAt: Float64Array.from(valueAt),
  };
}

/** The `count` places of the largest values, the first of equal ones first. */
export function largestPlaces(values: Float64Array, count: number): number[] {
  return [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b).slice(0, count);
}
