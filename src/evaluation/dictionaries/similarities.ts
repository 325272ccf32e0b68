/**
 * Similarities between the rows of two matrices, a block of rows at a time, so that no m × m'
 * matrix is held unless it is small: cosines of unit vectors, or correlations of latents.
 */
import { fromTypedArray, ops, scope, type Tensor } from '../../torch/index.js';

/** Values of a block of similarities. */
const blockValues = 2 ** 23;

/** Two sides and the similarity of each of the one to each of the other. */
export interface Similarities {
  readonly rows: number;
  readonly columns: number;
  /** Those of rows `from` … `from + count − 1`: [count, columns] float32, the caller's. */
  block(from: number, count: number): Tensor;
  /** The same with the sides exchanged. */
  readonly turned: Similarities;
}

/** Inner products of rows, their cosines if they are unit vectors: a [n, d], b [m, d]. */
export function innerProducts(a: Tensor, b: Tensor): Similarities {
  return {
    rows: a.shape[0]!,
    columns: b.shape[0]!,
    block: (from, count) => scope(() => a.narrow(0, from, count).matmul(b.t())),
    get turned() {
      return innerProducts(b, a);
    },
  };
}

/** A matrix that is held: values [n, m] float32. */
export function heldSimilarities(values: Tensor): Similarities {
  return {
    rows: values.shape[0]!,
    columns: values.shape[1]!,
    block: (from, count) => values.narrow(0, from, count),
    get turned() {
      return heldSimilarities(scope(() => values.t().contiguous()));
    },
  };
}

/** The same without their signs. */
export function absolute(similarities: Similarities): Similarities {
  return {
    rows: similarities.rows,
    columns: similarities.columns,
    block: (from, count) => scope(() => similarities.block(from, count).abs()),
    get turned() {
      return absolute(similarities.turned);
    },
  };
}

const blockRows = ({ columns }: Similarities): number =>
  Math.max(1, Math.floor(blockValues / Math.max(1, columns)));

/** Worth of each column to each row at its price: the similarity minus the price. */
export function worthAt(similarities: Similarities, prices: Float64Array): Similarities {
  const { rows, columns } = similarities;
  return {
    rows,
    columns,
    block: (from, count) =>
      scope(() => {
        const block = similarities.block(from, count);
        const all = fromTypedArray(Float32Array.from(prices), [1, columns], {
          device: block.device,
        });
        return block.sub(all);
      }),
    get turned(): never {
      throw new Error('prices are those of the columns');
    },
  };
}

/** Calls with each block of rows; its tensors are freed after the call. */
function eachBlock(
  similarities: Similarities,
  use: (block: Tensor, from: number, count: number) => void,
): void {
  const { rows } = similarities;
  const most = blockRows(similarities);
  for (let from = 0; from < rows; from += most) {
    const count = Math.min(most, rows - from);
    scope(() => {
      use(similarities.block(from, count), from, count);
      return null;
    });
  }
}

/** The columns with the largest similarity to each row, best first. */
export interface Nearest {
  /** Columns kept for each row. */
  count: number;
  values: Float32Array; // [rows · count]
  columns: BigInt64Array; // [rows · count]
}

/** The `count` columns of the largest similarity to each row. */
export function nearest(similarities: Similarities, count: number): Nearest {
  const { rows, columns } = similarities;
  const kept = Math.min(count, columns);
  const found: Nearest = {
    count: kept,
    values: new Float32Array(rows * kept),
    columns: new BigInt64Array(rows * kept),
  };
  eachBlock(similarities, (block, from) => {
    const [values, indices] = ops.topk(block, kept, -1);
    found.values.set(values.toTypedArray() as Float32Array, from * kept);
    found.columns.set(indices.toTypedArray() as BigInt64Array, from * kept);
  });
  return found;
}

/** All similarities: [rows · columns]. */
export function allOf(similarities: Similarities): Float32Array {
  const { rows, columns } = similarities;
  const values = new Float32Array(rows * columns);
  eachBlock(similarities, (block, from) =>
    values.set(block.contiguous().toTypedArray() as Float32Array, from * columns),
  );
  return values;
}

/** Similarities of some rows, in increasing order, to some columns: [rows · columns]. */
export function someOf(
  similarities: Similarities,
  { rows, columns }: { rows: readonly number[]; columns: readonly number[] },
): Float32Array {
  const values = new Float32Array(rows.length * columns.length);
  const most = blockRows(similarities);
  for (let next = 0; next < rows.length;) {
    const from = rows[next]!;
    let end = next;
    while (end < rows.length && rows[end]! < from + most) end++;
    const some = rows.slice(next, end);
    scope(() => {
      const block = similarities.block(from, some.at(-1)! - from + 1);
      const all = block.contiguous().toTypedArray() as Float32Array;
      some.forEach((row, n) => {
        const offset = (row - from) * similarities.columns;
        columns.forEach((column, at) => {
          values[(next + n) * columns.length + at] = all[offset + column]!;
        });
      });
      return null;
    });
    next = end;
  }
  return values;
}
