/** Reduces the values of a micro-batch's tokens to sums per sequence, in float64. */
import type { Accumulator } from '../../metrics/accumulator.js';
import type { Target } from '../../metrics/keys.js';
import { metrics, type Table } from '../../metrics/table.js';
import { keep, ops, scope, type DType, type Tensor } from '../../torch/index.js';
import { everyPosition, type PositionSet } from '../positions.js';
import type { Over, Positions } from './positions.js';
import { onHost, VectorSums } from './vectors.js';

export interface CollectorOptions {
  positions: Positions;
  /** The positions that an SAE counts, by the owner of its sums; default all. */
  setOf?: (owner: string) => PositionSet;
  /** Metrics whose sums are collected; default all. */
  table?: Table;
}

/** Columns that wait for their sums are added up together, so that there are few launches. */
const mostWaiting = 64;

interface Waiting {
  /** Place of the column among all of the micro-batch. */
  place: number;
  mask: Tensor; // [B, T]
  values: Tensor; // [B·T]
}

/** Sums of columns that share a mask and a dtype. */
interface Summed {
  places: readonly number[];
  sums: Tensor; // [columns, B] float64
}

export class Collector {
  readonly table: Table;
  readonly positions: Positions;
  readonly #setOf: (owner: string) => PositionSet;
  readonly #keys: string[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #summed: Summed[] = [];
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

  /**
   * Sums values of the tokens [B·T] over the positions of a mask. Takes the values over: they live
   * until {@link settle} or {@link flush}.
   */
  tokens(key: string, { mask, values }: { mask: Tensor; values: Tensor }): void {
    this.#waiting.push({ place: this.#keys.length, mask, values: keep(values) });
    this.#keys.push(key);
  }

  /** Adds up what waits, if that is much. Its values are freed. */
  settle(): void {
    if (this.#waiting.length >= mostWaiting) this.#sum();
  }

  /** Adds to a vector of the run. */
  vector(key: string, values: Tensor): void {
    this.#vectors.push({ key, values: keep(values) });
  }

  /** Adds up the columns that wait. */
  #sum(): void {
    const groups = new Map<Tensor, Map<DType, Waiting[]>>();
    for (const one of this.#waiting) {
      const byDtype = groups.get(one.mask) ?? new Map<DType, Waiting[]>();
      groups.set(one.mask, byDtype);
      byDtype.set(one.values.dtype, [...(byDtype.get(one.values.dtype) ?? []), one]);
    }
    for (const [mask, byDtype] of groups)
      for (const group of byDtype.values()) {
        // where, not a product: values of padded positions may be NaN
        const sums = scope(() => {
          const stacked = ops.stack(
            group.map(({ values }) => values.reshape(mask.shape)),
            0,
          ); // [columns, B, T]
          return ops.where(mask, stacked, 0).sum([-1], { dtype: 'float64' });
        });
        this.#summed.push({ places: group.map(({ place }) => place), sums: keep(sums) });
      }
    this.#release();
  }

  #release(): void {
    // Columns of several SAEs may share their values.
    for (const values of new Set(this.#waiting.map((one) => one.values))) values.dispose();
    this.#waiting.length = 0;
  }

  /**
   * Moves the sums to the accumulator, and the vectors to those of the batch; after the last
   * micro-batch of a batch (`isLast`) the batch's vectors go to the accumulator too. There is one
   * transfer. Nothing is added anywhere if memory runs out on the way.
   */
  flush(
    accumulator: Accumulator,
    batch = new VectorSums(),
    { isLast = true }: { isLast?: boolean } = {},
  ): void {
    const { B } = this.positions;
    this.#sum();
    const vectors = this.#vectors.map(({ key, values }) => [key, values] as const);
    const totals = [...(isLast ? batch.with(vectors) : [])];
    const lengths = totals.map(([, total]) => total.numel);
    let all: Float64Array;
    try {
      all = onHost([...this.#summed.map(({ sums }) => sums), ...totals.map(([, total]) => total)]);
    } finally {
      for (const [, total] of totals) total.dispose();
    }
    let offset = 0;
    const take = (length: number): Float64Array => all.slice(offset, (offset += length));
    const columns: Float64Array[] = [];
    for (const { places } of this.#summed) for (const place of places) columns[place] = take(B);
    this.#keys.forEach((key, place) => accumulator.append(key, columns[place]!));
    totals.forEach(([key], index) => accumulator.add(key, take(lengths[index]!)));
    if (isLast) batch.dispose();
    else batch.add(this.#vectors.splice(0).map(({ key, values }) => [key, values]));
    this.dispose();
  }

  dispose(): void {
    this.#release();
    for (const { sums } of this.#summed) sums.dispose();
    for (const { values } of this.#vectors) values.dispose();
    this.#keys.length = 0;
    this.#summed.length = 0;
    this.#vectors.length = 0;
  }
}
