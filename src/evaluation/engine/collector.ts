/** Collects what a micro-batch gives, token by token, reduced to sums per sequence in float64. */
import type { Accumulator } from '../../metrics/accumulator.js';
import type { Protocol, SlotColumn, VectorName } from '../../metrics/metric.js';
import { arange, fromTypedArray, keep, ops, scope, type Tensor } from '../../torch/index.js';

/** One place an SAE variant is measured and spliced, under one protocol. */
export interface Target {
  readonly owner: string;
  readonly protocol: Protocol;
  readonly slot: number;
}

export const slotKey = ({ owner, protocol, slot }: Target, column: SlotColumn): string =>
  `${owner}|${protocol}|${slot}|${column}`;
export const vectorKey = (owner: string, protocol: Protocol, name: VectorName): string =>
  `${owner}|${protocol}|${name}`;
export const cleanKey = (
  protocol: Protocol,
  name: 'positions' | 'nextPositions' | 'ceClean',
): string => `clean|${protocol}|${name}`;

/** Subject of a value: the position itself, or its prediction of the next token. */
export type Over = 'positions' | 'nextPositions';

export class Collector {
  readonly #lengths: readonly number[];
  readonly #T: number;
  readonly #device: string;
  readonly #masks = new Map<string, Tensor>(); // [B, T] bool
  readonly #sums: { key: string; sums: Tensor }[] = []; // [B] float64
  readonly #vectors: { key: string; values: Tensor }[] = [];

  constructor({ lengths, T, device }: { lengths: readonly number[]; T: number; device: string }) {
    this.#lengths = lengths;
    this.#T = T;
    this.#device = device;
  }

  /** Positions that count: all under `reference`, real ones under `strict`: [B, T] bool. */
  mask(protocol: Protocol, over: Over = 'positions'): Tensor {
    const name = `${protocol}|${over}`;
    let found = this.#masks.get(name);
    if (found === undefined) this.#masks.set(name, (found = keep(this.#counted(protocol, over))));
    return found;
  }

  #counted(protocol: Protocol, over: Over): Tensor {
    const limits = this.#lengths.map((length) => this.counts(protocol, over, length));
    return scope(() => {
      const columns = arange(this.#T, { device: this.#device }); // [T]
      const rows = fromTypedArray(BigInt64Array.from(limits, BigInt), [limits.length, 1], {
        device: this.#device,
      });
      return columns.lt(rows);
    });
  }

  /** Number of positions that count in a sequence of that length. */
  counts(protocol: Protocol, over: Over, length: number): number {
    return Math.max((protocol === 'strict' ? length : this.#T) - (over === 'positions' ? 0 : 1), 0);
  }

  /** Values of each token [B·T], summed over the positions that count. */
  tokens(
    key: string,
    { protocol, over = 'positions', values }: { protocol: Protocol; over?: Over; values: Tensor },
  ): void {
    const mask = this.mask(protocol, over);
    // where, not a product: what a padded position holds may be anything
    const sums = scope(() =>
      ops.where(mask, values.reshape(mask.shape), 0).sum([-1], { dtype: 'float64' }),
    );
    this.#sums.push({ key, sums: keep(sums) });
  }

  /** A vector to be added to the run's. */
  vector(key: string, values: Tensor): void {
    this.#vectors.push({ key, values: keep(values) });
  }

  /** Brings everything collected to the accumulator, in one transfer for the sums, and frees it. */
  flush(accumulator: Accumulator): void {
    const B = this.#lengths.length;
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
    for (const mask of this.#masks.values()) mask.dispose();
    for (const { sums } of this.#sums) sums.dispose();
    for (const { values } of this.#vectors) values.dispose();
    this.#masks.clear();
    this.#sums.length = 0;
    this.#vectors.length = 0;
  }
}
