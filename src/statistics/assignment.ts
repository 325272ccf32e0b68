/**
 * The assignment of rows to columns with the largest sum, exactly: shortest augmenting paths with
 * potentials, the algorithm of Jonker and Volgenant (1987) as Crouse (2016) has it for rectangular
 * matrices. At worst rows² · columns steps.
 */

/** A matrix of values, one row after the other. */
export interface DenseValues {
  readonly rows: number;
  /** At least as many as rows. */
  readonly columns: number;
  readonly values: Float32Array | Float64Array; // [rows · columns]
}

export interface Assignment {
  /** The column of each row: [rows]. */
  columnOf: Int32Array;
  /** Σ of the values of the pairs. */
  total: number;
}

/** Dual values and the partial assignment of the algorithm. */
class Search {
  readonly columnOf: Int32Array; // [rows], −1: none yet
  readonly #rowOf: Int32Array; // [columns]
  readonly #u: Float64Array; // [rows]
  readonly #v: Float64Array; // [columns]
  readonly #shortest: Float64Array; // [columns]
  readonly #path: Int32Array; // [columns]
  readonly #left: Int32Array; // [columns]: columns that are not yet scanned, then the others

  constructor(private readonly matrix: DenseValues) {
    const { rows, columns } = matrix;
    this.columnOf = new Int32Array(rows).fill(-1);
    this.#rowOf = new Int32Array(columns).fill(-1);
    this.#u = new Float64Array(rows);
    this.#v = new Float64Array(columns);
    this.#shortest = new Float64Array(columns);
    this.#path = new Int32Array(columns);
    this.#left = new Int32Array(columns);
  }

  /** Assigns one more row, along the shortest path to a free column. */
  add(row: number): void {
    const { columns, values } = this.matrix;
    const [u, v, shortest, path, left] = [this.#u, this.#v, this.#shortest, this.#path, this.#left];
    shortest.fill(Infinity);
    for (let j = 0; j < columns; j++) left[j] = j;
    let count = columns;
    const rowsSeen = [row];
    let current = row;
    let length = 0;
    let sink = -1;
    while (sink < 0) {
      let lowest = Infinity;
      let at = -1;
      const offset = current * columns;
      const base = length - u[current]!;
      for (let n = 0; n < count; n++) {
        const j = left[n]!;
        // The cost is the negative value.
        const reduced = base - values[offset + j]! - v[j]!;
        if (reduced < shortest[j]!) {
          shortest[j] = reduced;
          path[j] = current;
        }
        const found = shortest[j]!;
        if (found < lowest || (found === lowest && this.#rowOf[j] === -1)) {
          lowest = found;
          at = n;
        }
      }
      if (!(lowest < Infinity)) throw new Error('the values of an assignment must be finite');
      length = lowest;
      const column = left[at]!;
      left[at] = left[--count]!;
      left[count] = column;
      if (this.#rowOf[column] === -1) sink = column;
      else {
        current = this.#rowOf[column]!;
        rowsSeen.push(current);
      }
    }
    u[row]! += length;
    for (const seen of rowsSeen.slice(1)) u[seen]! += length - shortest[this.columnOf[seen]!]!;
    for (let n = count; n < columns; n++) v[left[n]!]! -= length - shortest[left[n]!]!;
    for (let column = sink; ;) {
      const owner = path[column]!;
      this.#rowOf[column] = owner;
      const next = this.columnOf[owner]!;
      this.columnOf[owner] = column;
      if (owner === row) return;
      column = next;
    }
  }
}

/**
 * The assignment of each row to a column of its own with the largest sum.
 * @throws Error if there are more rows than columns, or values are not finite.
 */
export function assign(matrix: DenseValues): Assignment {
  const { rows, columns, values } = matrix;
  if (rows > columns) throw new Error('an assignment needs at least as many columns as rows');
  const search = new Search(matrix);
  for (let row = 0; row < rows; row++) search.add(row);
  let total = 0;
  search.columnOf.forEach((column, row) => (total += values[row * columns + column]!));
  return { columnOf: search.columnOf, total };
}
