/**
 * The part of one batch, padded to the right or not at all, that all blocks share: rotary tables,
 * and the lengths of its sequences as the kernels of attention want them.
 */
import { fromTypedArray, keep, ops, scope, type DType, type Tensor } from '../torch/index.js';
import type { AttentionContext } from './model.js';
import type { RopeConfig } from './rope-config.js';
import type { RopeTable, RopeTables } from './rope.js';

export interface BatchContextOptions {
  /** Number of real tokens of each sequence. */
  lengths: readonly number[];
  T: number;
  /** Length that rotary scalings depend on, at least T. */
  seqLen: number;
  ropes: RopeTables;
  device: string;
  dtype: DType;
  /** Whether somebody reads what padded positions give; default true. */
  paddedQueries?: boolean;
  /** Whether the sequences lie one after the other in one row of T positions; default false. */
  isUnpadded?: boolean;
}

/** Bounds of the segments that attend, in a batch whose positions lie one after the other. */
export interface Segments {
  /**
   * Bounds of queries, and of keys for real queries: the real positions of each sequence, then its
   * padded ones, [2·n·B + 1] int32; of an unpadded batch each sequence, [n·B + 1].
   */
  own: Tensor;
  /**
   * Bounds of keys for padded queries: the real positions of their sequence. Of an unpadded batch
   * they mean nothing.
   */
  real: Tensor;
}

/** It owns the tensors that it gives. */
export class BatchContext implements AttentionContext {
  readonly lengths: readonly number[];
  readonly T: number;
  readonly isUnpadded: boolean;
  /** Whether padded queries attend to the real positions; otherwise they give anything finite. */
  readonly paddedQueries: boolean;
  readonly #options: BatchContextOptions;
  readonly #kept = new Map<string, Tensor>();
  #alone: readonly BatchContext[] | null = null;

  constructor(options: BatchContextOptions) {
    this.#options = options;
    this.lengths = options.lengths;
    this.T = options.T;
    this.isUnpadded = options.isUnpadded ?? false;
    this.paddedQueries =
      (options.paddedQueries ?? true) &&
      !this.isUnpadded &&
      options.lengths.some((length) => length < options.T);
  }

  /** Position in its sequence of each position of a row: [T] int64. */
  get positions(): Tensor {
    const { device } = this.#options;
    return this.#once('positions', () => {
      if (!this.isUnpadded) return ops.arange(this.T, { device });
      const all = this.lengths.flatMap((length) => Array.from({ length }, (_, t) => BigInt(t)));
      return fromTypedArray(BigInt64Array.from(all), [all.length], { device });
    });
  }

  /** Cosines and sines of the positions of a row: [T, dim]. */
  rope(config: RopeConfig): RopeTable {
    const { T, seqLen, ropes } = this.#options;
    const { cos, sin } = ropes.of(config, seqLen);
    if (!this.isUnpadded && T === cos.shape[0]) return { cos, sin };
    const part = (whole: Tensor): Tensor =>
      this.isUnpadded ? whole.index_select(0, this.positions) : whole.narrow(0, 0, T);
    const name = `rope ${ropes.indexOf(config)}`;
    return {
      cos: this.#once(`${name} cos`, () => part(cos)),
      sin: this.#once(`${name} sin`, () => part(sin)),
    };
  }

  /** Number of different positions, padded ones included. */
  get reach(): number {
    return this.isUnpadded ? this.longest : this.T;
  }

  /** The longest segment of queries. */
  get longest(): number {
    const { lengths, T } = this;
    if (this.isUnpadded) return Math.max(...lengths);
    return Math.max(...lengths.map((length) => Math.max(length, T - length)));
  }

  /** Sequences that follow each other in an unpadded row, each as a batch by itself. */
  eachAlone(): readonly BatchContext[] {
    return (this.#alone ??= this.lengths.map(
      (length) =>
        new BatchContext({
          ...this.#options,
          lengths: [length],
          T: length,
          paddedQueries: false,
          isUnpadded: false,
        }),
    ));
  }

  /** The segments of n copies of the batch. */
  segments(copies: number): Segments {
    const { lengths, T } = this;
    const rows = this.isUnpadded ? 1 : lengths.length;
    const bounds = this.#once(`bounds ${copies}`, () => {
      const ends = this.#once('ends', () => {
        let end = 0;
        const flat = lengths.flatMap((length, b) =>
          this.isUnpadded ? [(end += length)] : [b * T + length, (b + 1) * T],
        );
        return fromTypedArray(Int32Array.from(flat), [1, flat.length], {
          device: this.#options.device,
        });
      });
      const starts = ops.arange(copies, { dtype: 'int32', device: this.#options.device });
      const all = starts
        .mul(rows * T)
        .unsqueeze(1)
        .add(ends); // [n, 2·B], unpadded [n, B]
      return ops.constant_pad_nd(all.reshape([-1]), [2, 0]); // two zeros before it
    });
    const count = bounds.shape[0]! - 1;
    return {
      own: this.#once(`own ${copies}`, () => bounds.narrow(0, 1, count)),
      real: this.#once(`real ${copies}`, () => bounds.narrow(0, 0, count)),
    };
  }

  /** Real positions: [B, T, 1, 1] bool. */
  get isReal(): Tensor {
    return this.#once('is real', () => {
      const { T } = this;
      const position = ops.arange(T, { device: this.#options.device }); // [T]
      return position.lt(this.#lengthColumn()).reshape([-1, T, 1, 1]);
    });
  }

  /** [B, 1] int64. */
  #lengthColumn(): Tensor {
    return this.#once('lengths', () =>
      fromTypedArray(BigInt64Array.from(this.lengths, BigInt), [this.lengths.length, 1], {
        device: this.#options.device,
      }),
    );
  }

  /**
   * Keys 0…`to`−1 that the queries `from`…`to`−1 see: [B, 1, to − from, to] bool. The tensor
   * belongs to the scope around.
   */
  seen({
    from,
    to,
    window,
    chunk = null,
  }: {
    from: number;
    to: number;
    window: number | null;
    chunk?: number | null;
  }): Tensor {
    const { device } = this.#options;
    const lengths = this.#lengthColumn().reshape([-1, 1, 1, 1]);
    return scope(() => {
      const query = ops.arange(from, to, { device }).unsqueeze(1);
      const key = ops.arange(to, { device }).unsqueeze(0);
      const distance = query.sub(key); // [to − from, to]
      const causal = distance.ge(0);
      const near = window === null ? causal : causal.logical_and(distance.lt(window));
      const together =
        chunk === null ? near : near.logical_and(query.remainder(chunk).ge(distance));
      const seen = together.logical_and(key.lt(lengths));
      if (window === null && chunk === null) return seen;
      // A padded query outside every window sees the first key. Its state may be anything finite,
      // but a softmax of nothing is not.
      return seen.logical_or(seen.any(-1, true).logical_not().logical_and(key.eq(0)));
    });
  }

  #once(name: string, make: () => Tensor): Tensor {
    let found = this.#kept.get(name);
    if (found === undefined) this.#kept.set(name, (found = keep(scope(make))));
    return found;
  }

  dispose(): void {
    for (const one of this.#alone ?? []) one.dispose();
    this.#alone = null;
    for (const tensor of this.#kept.values()) tensor.dispose();
    this.#kept.clear();
  }
}
