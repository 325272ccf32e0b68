/** Reduces the values of a micro-batch's tokens to sums per sequence, in float64. */
import type { Accumulator } from '../../metrics/accumulator.js';
import { slotKey, type Target } from '../../metrics/keys.js';
import { batchColumns } from '../../metrics/peers/columns.js';
import { isPeerProtocol } from '../../metrics/peers/protocols.js';
import { metrics, type Table } from '../../metrics/table.js';
import { keep, ops, scope, type DType, type Tensor } from '../../torch/index.js';
import type { Latents } from '../../sae/index.js';
import { everyPosition, type PositionSet } from '../positions.js';
import { LatentsSeen, type SeenAt } from './latents-seen.js';
import type { Over, Positions } from './positions.js';
import { BatchTokens, disposeHeld, type HeldByPlace } from './peers/batch-tokens.js';
import { onHost, VectorSums } from './vectors.js';

export interface CollectorOptions {
  positions: Positions;
  /** The positions that an SAE counts under a protocol, by the owner of its sums; default all. */
  setOf?: (of: Omit<Target, 'slot'>) => PositionSet;
  /** Metrics whose sums are collected; default all. */
  table?: Table;
  /** Contexts of each latent in the latents table; default: there is no table. */
  contexts?: number | undefined;
}

export interface FlushOptions {
  /** Whether the batch ends with this micro-batch; default true. */
  isLast?: boolean;
  /** Index in the run of the first sequence; default 0. */
  first?: number;
  /** Tokens of the batch that wait for its means. */
  tokens?: BatchTokens;
}

/** float32, or a wider dtype as it is. */
const widened = (dtype: DType): DType => (dtype === 'float64' ? dtype : 'float32');

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
  sums: Tensor; // [columns, sequences] float64
}

export class Collector {
  readonly table: Table;
  readonly positions: Positions;
  readonly #setOf: (of: Omit<Target, 'slot'>) => PositionSet;
  readonly #keys: string[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #summed: Summed[] = [];
  readonly #vectors: { key: string; values: Tensor }[] = [];
  readonly #held: HeldByPlace = new Map();
  readonly #seen: LatentsSeen | null;

  constructor({
    positions,
    setOf = () => everyPosition,
    table = metrics,
    contexts,
  }: CollectorOptions) {
    this.table = table;
    this.#seen = contexts === undefined ? null : new LatentsSeen(contexts);
    this.positions = positions;
    this.#setOf = setOf;
  }

  /** Positions that count for an SAE: [B, T] bool. */
  mask(of: Omit<Target, 'slot'>, over: Over = 'positions'): Tensor {
    const { protocol } = of;
    // Other tools count real positions, as strict does.
    return this.positions.mask(
      isPeerProtocol(protocol) ? 'strict' : protocol,
      over,
      this.#setOf(of),
    );
  }

  /** Whether special tokens count for an SAE. */
  countsSpecials(of: Omit<Target, 'slot'>): boolean {
    return of.protocol === 'strict' && this.#setOf(of).key === everyPosition.key;
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

  /**
   * Holds the counted tokens of a place until the mean of their batch is known: activations
   * h [B·T, d] and ‖ĥ − h‖² [B·T] of an SAE. Both are copied.
   */
  hold(
    place: string,
    { target, h, squaredError }: { target: Target; h: Tensor; squaredError: Tensor },
  ): void {
    const set = this.#setOf(target);
    const key = `${place}|${set.key}`;
    const rows = this.positions.rows(set);
    let held = this.#held.get(key);
    if (held === undefined) {
      held = {
        h: keep(scope(() => h.index_select(0, rows).to({ dtype: widened(h.dtype) }))),
        counts: this.positions.counts('strict', 'positions', set),
        errors: new Map(),
      };
      this.#held.set(key, held);
    }
    const values = keep(scope(() => squaredError.index_select(0, rows)));
    held.errors.set(slotKey(target, batchColumns.legacy.name), { target, values });
  }

  /** Counts latents [N, m] in the table of their SAE, if there is one. */
  latents(owner: string, latents: Latents, at?: SeenAt): void {
    this.#seen?.see(owner, latents, at);
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
          return this.positions.sums(ops.where(mask, stacked, 0)); // [columns, sequences]
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
    { isLast = true, tokens = new BatchTokens(), first = 0 }: FlushOptions = {},
  ): void {
    const { length: sequences } = this.positions.extents;
    this.#sum();
    const ofBatch = isLast ? tokens.columns(this.#held) : [];
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
    for (const { places } of this.#summed)
      for (const place of places) columns[place] = take(sequences);
    this.#keys.forEach((key, place) => accumulator.append(key, columns[place]!));
    totals.forEach(([key], index) => accumulator.add(key, take(lengths[index]!)));
    this.#seen?.moveTo(accumulator, {
      first,
      positions: this.positions,
      setOf: this.#setOf,
    });
    for (const [key, values] of ofBatch) accumulator.append(key, values);
    if (isLast) {
      batch.dispose();
      tokens.dispose();
    } else {
      batch.add(this.#vectors.splice(0).map(({ key, values }) => [key, values]));
      tokens.add(this.#held);
      this.#held.clear();
    }
    this.dispose();
  }

  dispose(): void {
    this.#release();
    for (const { sums } of this.#summed) sums.dispose();
    for (const { values } of this.#vectors) values.dispose();
    disposeHeld(this.#held.values());
    this.#held.clear();
    this.#keys.length = 0;
    this.#summed.length = 0;
    this.#vectors.length = 0;
  }
}
