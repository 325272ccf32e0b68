/**
 * The sums of a run in float64: columns hold one sum per sequence, vectors sums over the run. Two
 * accumulators of consecutive shards merge by appending and adding. Columns then have the same bits
 * as in one run; vectors only if their values are whole numbers or the shards are single batches.
 */
export interface AccumulatorState {
  batchSizes: number[];
  columns: Map<string, Float64Array>;
  vectors: Map<string, Float64Array>;
}

export class Accumulator {
  /** Sequences of each finished batch. */
  readonly batchSizes: number[] = [];
  readonly #columns = new Map<string, { data: Float64Array; length: number }>();
  readonly #vectors = new Map<string, Float64Array>();

  /** Appends the sums of some sequences to a column. */
  append(column: string, values: Float64Array): void {
    let held = this.#columns.get(column);
    if (held === undefined)
      this.#columns.set(
        column,
        (held = { data: new Float64Array(Math.max(64, values.length)), length: 0 }),
      );
    if (held.length + values.length > held.data.length) {
      const grown = new Float64Array(Math.max(2 * held.data.length, held.length + values.length));
      grown.set(held.data.subarray(0, held.length));
      held.data = grown;
    }
    held.data.set(values, held.length);
    held.length += values.length;
  }

  /** Adds to a vector. */
  add(vector: string, values: Float64Array): void {
    const held = this.#vectors.get(vector);
    if (held === undefined) this.#vectors.set(vector, values.slice());
    else for (let i = 0; i < values.length; i++) held[i]! += values[i]!;
  }

  endBatch(sequences: number): void {
    this.batchSizes.push(sequences);
  }

  get sequences(): number {
    return this.batchSizes.reduce((sum, size) => sum + size, 0);
  }

  /** One value per sequence, in order. A view: a later append may leave it behind. */
  column(name: string): Float64Array | null {
    const held = this.#columns.get(name);
    return held === undefined ? null : held.data.subarray(0, held.length);
  }

  vector(name: string): Float64Array | null {
    return this.#vectors.get(name) ?? null;
  }

  /** Appends the batches of `other`, which follow this accumulator's. */
  merge(other: Accumulator): void {
    for (const [name, { data, length }] of other.#columns)
      this.append(name, data.subarray(0, length));
    for (const [name, values] of other.#vectors) this.add(name, values);
    this.batchSizes.push(...other.batchSizes);
  }

  /** A copy that can be stored. */
  state(): AccumulatorState {
    return {
      batchSizes: [...this.batchSizes],
      columns: new Map(
        [...this.#columns].map(([name, { data, length }]) => [name, data.slice(0, length)]),
      ),
      vectors: new Map([...this.#vectors].map(([name, values]) => [name, values.slice()])),
    };
  }

  static restore(state: AccumulatorState): Accumulator {
    const restored = new Accumulator();
    for (const [name, values] of state.columns) restored.append(name, values);
    for (const [name, values] of state.vectors) restored.add(name, values);
    restored.batchSizes.push(...state.batchSizes);
    return restored;
  }
}
