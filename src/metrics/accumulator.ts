/**
 * The sums of a run in float64: columns hold one sum per sequence, vectors exact sums over the run.
 * Columns of spliced passes may be shorter: they then hold the first sequences of the run, and a
 * part of the run that begins later has none.
 * Accumulators of consecutive parts of a run merge, in any grouping, to the same bits as one
 * accumulator of all its batches: columns are appended, and vectors are rounded only when they are
 * read.
 */
import { ExactSum } from './exact-sum.js';
import { LatentTally, type TallyShape, type TallyState } from './latent-tally.js';

export interface AccumulatorState {
  batchSizes: readonly number[];
  columns: ReadonlyMap<string, Float64Array>;
  /** Vectors that add up to a vector exactly. */
  vectors: ReadonlyMap<string, readonly Float64Array[]>;
  /** Tallies of latents, by owner. */
  tallies?: ReadonlyMap<string, TallyState>;
}

/** Length from which a column grows by a quarter instead of twice: gigabytes would lie idle. */
const largeColumn = 2 ** 16;

export class Accumulator {
  /** Sequences of each finished batch. */
  readonly batchSizes: number[] = [];
  readonly #columns = new Map<string, { data: Float64Array; length: number }>();
  readonly #vectors = new Map<string, ExactSum>();
  readonly #tallies = new Map<string, LatentTally>();
  #sequences = 0;
  #reserved = 64;

  /** Gives columns that begin later room for so many sequences: nothing is moved when they grow. */
  reserve(sequences: number): void {
    this.#reserved = Math.max(this.#reserved, sequences);
  }

  /** Appends the sums of some sequences to a column. */
  append(column: string, values: Float64Array): void {
    let held = this.#columns.get(column);
    if (held === undefined)
      this.#columns.set(
        column,
        (held = { data: new Float64Array(Math.max(this.#reserved, values.length)), length: 0 }),
      );
    if (held.length + values.length > held.data.length) {
      const { length: room } = held.data;
      const grown = new Float64Array(
        Math.max(
          room < largeColumn ? 2 * room : Math.ceil(1.25 * room),
          held.length + values.length,
        ),
      );
      grown.set(held.data.subarray(0, held.length));
      held.data = grown;
    }
    held.data.set(values, held.length);
    held.length += values.length;
  }

  /** Adds to a vector. */
  add(vector: string, values: Float64Array): void {
    this.#vector(vector, values.length).add(values);
  }

  #vector(name: string, length: number): ExactSum {
    let held = this.#vectors.get(name);
    if (held === undefined) this.#vectors.set(name, (held = new ExactSum(length)));
    return held;
  }

  /** The tally of an owner's latents, which begins if there is none. */
  tally(owner: string, shape: TallyShape): LatentTally {
    let held = this.#tallies.get(owner);
    if (held === undefined) this.#tallies.set(owner, (held = new LatentTally(shape)));
    return held;
  }

  /** The tallies that were begun, by owner. */
  get tallies(): ReadonlyMap<string, LatentTally> {
    return this.#tallies;
  }

  endBatch(sequences: number): void {
    this.batchSizes.push(sequences);
    this.#sequences += sequences;
  }

  get sequences(): number {
    return this.#sequences;
  }

  /** Names of the columns, in the order in which they began. */
  get columnNames(): string[] {
    return [...this.#columns.keys()];
  }

  /** One value per sequence, in order. A view: a later append may leave it behind. */
  column(name: string): Float64Array | null {
    const held = this.#columns.get(name);
    return held === undefined ? null : held.data.subarray(0, held.length);
  }

  vector(name: string): Float64Array | null {
    return this.#vectors.get(name)?.values() ?? null;
  }

  /** Appends the batches of `other`, which follow this accumulator's. */
  merge(other: Accumulator): void {
    for (const [name, { data, length }] of other.#columns)
      this.append(name, data.subarray(0, length));
    for (const [name, sum] of other.#vectors) this.#vector(name, sum.length).merge(sum);
    for (const [owner, tally] of other.#tallies) this.tally(owner, tally.shape).merge(tally);
    for (const size of other.batchSizes) this.endBatch(size);
  }

  /** Takes over a column without copying it: what was appended to another one never changes. */
  #adopt(column: string, values: Float64Array): void {
    if (this.#columns.has(column)) this.append(column, values);
    else this.#columns.set(column, { data: values, length: values.length });
  }

  /**
   * One accumulator of several that are of the same batches and of different SAEs. What they share
   * is taken from the first.
   */
  static beside(parts: readonly Accumulator[]): Accumulator {
    const [first, ...others] = parts;
    const joined = new Accumulator();
    if (first === undefined) return joined;
    for (const [name, { data, length }] of first.#columns)
      joined.#adopt(name, data.subarray(0, length));
    for (const [name, sum] of first.#vectors) joined.#vector(name, sum.length).merge(sum);
    for (const size of first.batchSizes) joined.endBatch(size);
    for (const other of others) {
      for (const [name, { data, length }] of other.#columns)
        if (!first.#columns.has(name)) joined.#adopt(name, data.subarray(0, length));
      for (const [name, sum] of other.#vectors)
        if (!first.#vectors.has(name)) joined.#vector(name, sum.length).merge(sum);
    }
    // A tally belongs to one SAE. Nothing is added to what was joined.
    for (const part of parts)
      for (const [owner, tally] of part.#tallies) joined.#tallies.set(owner, tally);
    return joined;
  }

  /** The first sequences alone, or all if there are fewer: views of their columns, no vectors. */
  first(sequences: number): Accumulator {
    const part = new Accumulator();
    for (const [name, { data, length }] of this.#columns) {
      const view = data.subarray(0, Math.min(length, sequences));
      part.#columns.set(name, { data: view, length: view.length });
    }
    for (const size of this.batchSizes) {
      const left = sequences - part.sequences;
      if (left <= 0) break;
      part.endBatch(Math.min(size, left));
    }
    return part;
  }

  /** The state to be stored. Views, which hold until something is added. */
  state(): AccumulatorState {
    return {
      batchSizes: this.batchSizes,
      columns: new Map(
        [...this.#columns].map(([name, { data, length }]) => [name, data.subarray(0, length)]),
      ),
      vectors: new Map([...this.#vectors].map(([name, sum]) => [name, sum.parts()])),
      tallies: new Map([...this.#tallies].map(([owner, tally]) => [owner, tally.state()])),
    };
  }

  /** The accumulator of a state, whose columns it takes over. */
  static restore({ batchSizes, columns, vectors, tallies }: AccumulatorState): Accumulator {
    const restored = new Accumulator();
    for (const [name, values] of columns) restored.#adopt(name, values);
    for (const [name, parts] of vectors) for (const part of parts) restored.add(name, part);
    for (const [owner, state] of tallies ?? [])
      restored.#tallies.set(owner, LatentTally.restore(state));
    for (const size of batchSizes) restored.endBatch(size);
    return restored;
  }
}
