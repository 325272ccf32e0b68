/** Reduces the values of a micro-batch's tokens to sums per sequence, in float64. */
import type { Accumulator } from '../../metrics/accumulator.js';
import type { Target } from '../../metrics/keys.js';
import { metrics, type Table } from '../../metrics/table.js';
import { keep, ops, scope, type Tensor } from '../../torch/index.js';
import { everyPosition, type PositionSet } from '../positions.js';
import type { Over, Positions } from './positions.js';

export interface CollectorOptions {
  positions: Positions;
  /** The positions that an SAE counts, by the owner of its sums; default all. */
  setOf?: (owner: string) => PositionSet;
  /** Metrics whose sums are collected; default all. */
  table?: Table;
}

export class Collector {
  readonly table: Table;
  readonly positions: Positions;
  readonly #setOf: (owner: string) => PositionSet;
  readonly #sums: { key: string; sums: Tensor }[] = []; // [B] float64
  readonly #vectors: { key: string; values: Tensor }[] = [];

  constructor({ positions, setOf = () => everyPosition, table = metrics }: CollectorOptions) {
    this.table = table;
    this.positions = positions;
    this.#setOf = setOf;
  }

  /** Positions that count for an SAE: [B, T] bool. */
  mask({ owner, protocol }: Omit<Target, 'slot'>, over: Over = 'positions'): Tensor {
    return this.positions.mask(protocol, over, this.#setOf(owner));
  }

  /** Whether special tokens count for an SAE. */
  countsSpecials({ owner, protocol }: Omit<Target, 'slot'>): boolean {
    return protocol === 'strict' && this.#setOf(owner).key === everyPosition.key;
  }

  /** Sums values of the tokens [B·T] over the positions of a mask. */
  tokens(key: string, { mask, values }: { mask: Tensor; values: Tensor }): void {
    // where, not a product: values of padded positions may be NaN
    const sums = scope(() =>
      ops.where(mask, values.reshape(mask.shape), 0).sum([-1], { dtype: 'float64' }),
    );
    this.#sums.push({ key, sums: keep(sums) });
  }

  /** Adds to a vector of the run. */
  vector(key: string, values: Tensor): void {
    this.#vectors.push({ key, values: keep(values) });
  }

  /** Moves everything to the accumulator, all sums in one transfer, and frees it. */
  flush(accumulator: Accumulator): void {
    const { B } = this.positions;
    if (this.#sums.length > 0) {
      const stacked = ops.stack(
        this.#sums.map(({ sums }) => sums),
        0,
      ); // [Q, B]
      const flat = stacked.toTypedArray() as Float64Array;
      stacked.dispose();
      this.#sums.forEach(({ key, sums }, q) => {
        accumulator.append(key, flat.slice(q * B, (q + 1) * B));
        sums.dispose();
      });
    }
    for (const { key, values } of this.#vectors) {
      accumulator.add(key, Float64Array.from(values.toTypedArray() as Float64Array));
      values.dispose();
    }
    this.dispose();
  }

  dispose(): void {
    for (const { sums } of this.#sums) sums.dispose();
    for (const { values } of this.#vectors) values.dispose();
    this.#sums.length = 0;
    this.#vectors.length = 0;
  }
}
