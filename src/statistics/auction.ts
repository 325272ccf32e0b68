/**
 * The assignment of rows to columns by the auction algorithm with ε-scaling (Bertsekas 1988), among
 * a few candidates of each row; a row may stay free, which is worth 0. Columns that nobody holds at
 * the end bid for rows in turn (Bertsekas and Castañon 1992), until each has the price 0. Then the
 * sum is at most rows · ε below the largest among the candidates.
 */

/** The candidates of each row, those of row i at `starts[i]` … `starts[i + 1] − 1`. */
export interface Candidates {
  readonly rows: number;
  readonly columns: number;
  readonly starts: Int32Array; // [rows + 1]
  readonly columnAt: Int32Array; // [edges]
  readonly valueAt: Float64Array; // [edges]
}

export interface AuctionAssignment {
  /** The column of each row, −1 if it stays free: [rows]. */
  columnOf: Int32Array;
  /** The row of each column, −1 if it stays free: [columns]. */
  rowOf: Int32Array;
  /** The price of each column, at least 0: [columns]. */
  prices: Float64Array;
}

export interface AuctionOptions {
  /** The last ε: a row's column is at most that much worse for it than the best. Default 1e-5. */
  epsilon?: number;
  /** The first ε. Default 0.25. */
  firstEpsilon?: number;
  /** Part of ε that the next round has. Default a fifth. */
  factor?: number;
}

/** The same pairs by column: edges of column j at `starts[j]` … `starts[j + 1] − 1`. */
interface ByColumn {
  starts: Int32Array; // [columns + 1]
  rowAt: Int32Array; // [edges]
  valueAt: Float64Array; // [edges]
}

function byColumn({ rows, columns, starts, columnAt, valueAt }: Candidates): ByColumn {
  const turned = {
    starts: new Int32Array(columns + 1),
    rowAt: new Int32Array(columnAt.length),
    valueAt: new Float64Array(columnAt.length),
  };
  for (const column of columnAt) turned.starts[column + 1]!++;
  for (let column = 0; column < columns; column++)
    turned.starts[column + 1]! += turned.starts[column]!;
  const next = turned.starts.slice();
  for (let row = 0; row < rows; row++)
    for (let edge = starts[row]!; edge < starts[row + 1]!; edge++) {
      const at = next[columnAt[edge]!]!++;
      turned.rowAt[at] = row;
      turned.valueAt[at] = valueAt[edge]!;
    }
  return turned;
}

class Auction {
  readonly columnOf: Int32Array;
  readonly rowOf: Int32Array;
  readonly prices: Float64Array;
  /** Gain of each row: [rows]. */
  readonly #gains: Float64Array;
  readonly #turned: ByColumn;

  constructor(private readonly candidates: Candidates) {
    const { rows, columns } = candidates;
    this.columnOf = new Int32Array(rows);
    this.rowOf = new Int32Array(columns);
    this.prices = new Float64Array(columns);
    this.#gains = new Float64Array(rows);
    this.#turned = byColumn(candidates);
  }

  /** Rows bid for columns until each has one, or wants none at today's prices. */
  bid(epsilon: number): void {
    const { rows, starts, columnAt, valueAt } = this.candidates;
    const { columnOf, rowOf, prices } = this;
    columnOf.fill(-1);
    rowOf.fill(-1);
    this.#gains.fill(0);
    const waiting = Array.from({ length: rows }, (_, row) => rows - 1 - row);
    for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
      let best = 0;
      let second = 0;
      let wanted = -1;
      for (let edge = starts[row]!; edge < starts[row + 1]!; edge++) {
        const column = columnAt[edge]!;
        const worth = valueAt[edge]! - prices[column]!;
        if (worth > best) {
          second = best;
          best = worth;
          wanted = column;
        } else if (worth > second) second = worth;
      }
      if (wanted < 0) continue;
      prices[wanted]! += best - second + epsilon;
      this.#gains[row] = second - epsilon;
      const before = rowOf[wanted]!;
      if (before >= 0) {
        columnOf[before] = -1;
        this.#gains[before] = 0;
        waiting.push(before);
      }
      rowOf[wanted] = row;
      columnOf[row] = wanted;
    }
  }

  /** Columns that nobody holds bid for rows, until each is held or costs nothing. */
  bidBack(epsilon: number): void {
    const { starts, rowAt, valueAt } = this.#turned;
    const { columnOf, rowOf, prices } = this;
    const gains = this.#gains;
    const waiting = [...rowOf.keys()].filter((column) => rowOf[column] === -1);
    for (let column = waiting.pop(); column !== undefined; column = waiting.pop()) {
      if (prices[column] === 0) continue;
      let best = -Infinity;
      let second = -Infinity;
      let wanted = -1;
      for (let edge = starts[column]!; edge < starts[column + 1]!; edge++) {
        const row = rowAt[edge]!;
        const worth = valueAt[edge]! - gains[row]!;
        if (worth > best) {
          second = best;
          best = worth;
          wanted = row;
        } else if (worth > second) second = worth;
      }
      if (wanted < 0 || best <= epsilon) {
        prices[column] = 0;
        continue;
      }
      const price = Math.max(0, second - epsilon);
      prices[column] = price;
      gains[wanted] = valueOf(this.#turned, column, wanted) - price;
      const before = columnOf[wanted]!;
      if (before >= 0) {
        rowOf[before] = -1;
        waiting.push(before);
      }
      columnOf[wanted] = column;
      rowOf[column] = wanted;
    }
  }
}

function valueOf({ starts, rowAt, valueAt }: ByColumn, column: number, row: number): number {
  for (let edge = starts[column]!; edge < starts[column + 1]!; edge++)
    if (rowAt[edge] === row) return valueAt[edge]!;
  throw new Error('the pair is no candidate');
}

/** The auction among the candidates, whose values are at most about 1. */
export function auction(
  candidates: Candidates,
  { epsilon = 1e-5, firstEpsilon = 0.25, factor = 0.2 }: AuctionOptions = {},
): AuctionAssignment {
  const rounds = new Auction(candidates);
  for (let own = firstEpsilon; own > epsilon; own *= factor) {
    rounds.bid(own);
    rounds.bidBack(own);
  }
  rounds.bid(epsilon);
  rounds.bidBack(epsilon);
  const { columnOf, rowOf, prices } = rounds;
  return { columnOf, rowOf, prices };
}
