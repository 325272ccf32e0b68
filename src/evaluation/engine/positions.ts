/**
 * The positions of a micro-batch that count. `reference` counts all of them, padded ones included;
 * `strict` counts real ones that the SAE does not exclude.
 */
import type { Sample } from '../../data/index.js';
import type { Protocol } from '../../metrics/metric.js';
import { fromTypedArray, keep, ops, scope, type Tensor } from '../../torch/index.js';
import { everyPosition, keptPositions, type PositionSet } from '../positions.js';

/** Positions that a value can count for: all, or those that predict a next token. */
export type Over = 'positions' | 'nextPositions';

export interface PositionsOptions {
  samples: readonly Pick<Sample, 'ids' | 'length' | 'out'>[];
  /** Positions of a row of the micro-batch; real ones are never left out. */
  T: number;
  /**
   * Whether the sequences lie one after the other in one row, without padding; B stands for 1
   * if tensors [B, T] are meant. Default false.
   */
  isUnpadded?: boolean;
  device: string;
  /** Ids of special tokens. */
  specials?: ReadonlySet<number>;
  /** Masks that will be asked for: they go to the device in one transfer. Default none. */
  ahead?: readonly MaskName[];
}

/** A mask: the positions that count for SAEs of a set under a protocol. */
export interface MaskName {
  protocol: Protocol;
  over: Over;
  set: PositionSet;
}

/** Name of a mask: sets differ under `strict` alone. */
const nameOf = (protocol: Protocol, over: Over, set: PositionSet): string =>
  `${protocol}|${over}|${protocol === 'strict' ? set.key : ''}`;

type Test = (id: number, t: number, length: number, out: Uint8Array | undefined) => boolean;

export class Positions {
  /** Positions of each sequence that are here, one sequence after the other. */
  readonly extents: readonly number[];
  readonly #T: number;
  readonly #options: PositionsOptions;
  /** Shape of masks. */
  readonly #shape: readonly [B: number, T: number];
  /** Flags on the host, from which masks and counts are made. */
  readonly #flags = new Map<string, Uint8Array>(); // [B · T]
  readonly #masks = new Map<string, Tensor>(); // [B, T] bool
  readonly #excluded = new Map<string, Tensor | null>(); // [B, T, 1] bool
  readonly #rows = new Map<string, Tensor>(); // [n] int64
  #lengths: Tensor | null = null; // [sequences] int64
  /** The masks that were sent ahead: [M, B, T] bool. */
  #ahead: Tensor | null = null;

  constructor(options: PositionsOptions) {
    const { samples, T, isUnpadded = false, ahead = [] } = options;
    this.#options = options;
    this.#T = T;
    this.#shape = [isUnpadded ? 1 : samples.length, T];
    this.extents = samples.map(({ length }) => (isUnpadded ? length : T));
    if (ahead.length === 0) return;
    try {
      this.#sendAhead(ahead);
    } catch (thrown) {
      this.dispose();
      throw thrown;
    }
  }

  #sendAhead(names: readonly MaskName[]): void {
    const [B, T] = this.#shape;
    const flags = new Map<string, Uint8Array>();
    for (const { protocol, over, set } of names)
      flags.set(nameOf(protocol, over, set), this.#flagsOf(protocol, over, set));
    flags.set('specials', this.#bytes(this.#isSpecial));
    const excluded = new Map<string, number>();
    for (const { set } of names) {
      if (set.key === everyPosition.key || this.#excluded.has(set.key)) continue;
      const bytes = this.#excludedBytes(set);
      this.#excluded.set(set.key, null);
      if (!bytes.includes(1)) continue;
      excluded.set(set.key, flags.size);
      flags.set(`excluded ${set.key}`, bytes);
    }
    const all = new Uint8Array(flags.size * B * T);
    [...flags.values()].forEach((bytes, index) => all.set(bytes, index * B * T));
    const masks = this.#tensor(all, [flags.size, B, T]);
    this.#ahead = masks;
    [...flags.keys()].forEach((name, index) => {
      if (!name.startsWith('excluded ')) this.#masks.set(name, keep(masks.select(0, index)));
    });
    for (const [key, index] of excluded)
      this.#excluded.set(key, keep(scope(() => masks.select(0, index).unsqueeze(-1))));
  }

  /** Real tokens of each sequence: [B]. */
  get lengths(): Float64Array {
    return Float64Array.from(this.#options.samples, ({ length }) => length);
  }

  #bytes(test: Test): Uint8Array {
    const [B, T] = this.#shape;
    const bytes = new Uint8Array(B * T);
    let row = 0;
    this.#options.samples.forEach(({ ids, length, out }, b) => {
      for (let t = 0; t < this.extents[b]!; t++)
        bytes[row++] = Number(test(ids[t]!, t, length, out));
    });
    return bytes;
  }

  /** A tensor that lives as long as this object. */
  #tensor(bytes: Uint8Array, shape: readonly number[] = this.#shape): Tensor {
    const whole = fromTypedArray(bytes, shape, { device: this.#options.device });
    const mask = keep(whole.to({ dtype: 'bool' }));
    whole.dispose();
    return mask;
  }

  #counts(set: PositionSet, protocol: Protocol, over: Over): Test {
    const next = over === 'nextPositions' ? 1 : 0;
    if (protocol === 'reference') return (_id, t) => t + next < this.#T;
    const isOut = this.#isExcluded(set);
    return (id, t, length, out) => t + next < length && !isOut(id, t, out);
  }

  #isExcluded(set: PositionSet): (id: number, t: number, out: Uint8Array | undefined) => boolean {
    const kept = keptPositions(set, this.#options.samples[0]?.ids.length ?? 0);
    const byRole = set.byRole === true;
    return (id, t, out) =>
      set.excludedIds.has(id) || (kept !== null && kept[t] === 0) || (byRole && out?.[t] === 1);
  }

  /** Positions that count for an SAE of that set: [B, T] bool. */
  mask(protocol: Protocol, over: Over = 'positions', set = everyPosition): Tensor {
    const name = nameOf(protocol, over, set);
    let found = this.#masks.get(name);
    if (found === undefined)
      this.#masks.set(name, (found = this.#tensor(this.#flagsOf(protocol, over, set))));
    return found;
  }

  #flagsOf(protocol: Protocol, over: Over, set: PositionSet): Uint8Array {
    const name = nameOf(protocol, over, set);
    let found = this.#flags.get(name);
    if (found === undefined)
      this.#flags.set(name, (found = this.#bytes(this.#counts(set, protocol, over))));
    return found;
  }

  /** Real positions that count, as rows of [B · T]: [n] int64. */
  rows(set: PositionSet): Tensor {
    let found = this.#rows.get(set.key);
    if (found === undefined) {
      const flags = this.#flagsOf('strict', 'positions', set);
      const rows = [...flags.keys()].filter((row) => flags[row] === 1);
      found = keep(
        fromTypedArray(BigInt64Array.from(rows, BigInt), [rows.length], {
          device: this.#options.device,
        }),
      );
      this.#rows.set(set.key, found);
    }
    return found;
  }

  /** Positions that count, 1 each: [B · T]. */
  flags(protocol: Protocol, over: Over = 'positions', set = everyPosition): Uint8Array {
    return this.#flagsOf(protocol, over, set);
  }

  /** Positions of a sequence of the run, T or more. */
  get seqLen(): number {
    return this.#options.samples[0]?.ids.length ?? this.#T;
  }

  /** Number of positions of each sequence that count: [B]. */
  counts(protocol: Protocol, over: Over = 'positions', set = everyPosition): Float64Array {
    return this.#perSequence(this.#flagsOf(protocol, over, set));
  }

  /** Number of real special tokens of each sequence: [B]. */
  specialCounts(): Float64Array {
    return this.#perSequence(this.#bytes(this.#isSpecial));
  }

  /** Real special tokens: [B, T] bool. */
  specialMask(): Tensor {
    let found = this.#masks.get('specials');
    if (found === undefined)
      this.#masks.set('specials', (found = this.#tensor(this.#bytes(this.#isSpecial))));
    return found;
  }

  readonly #isSpecial: Test = (id, t, length) =>
    t < length && this.#options.specials?.has(id) === true;

  #excludedBytes(set: PositionSet): Uint8Array {
    const isOut = this.#isExcluded(set);
    return this.#bytes((id, t, length, out) => t < length && isOut(id, t, out));
  }

  /** Positions that an SAE leaves as they are: [B, T, 1] bool; null if there are none here. */
  excluded(set: PositionSet): Tensor | null {
    if (set.key === everyPosition.key) return null;
    let found = this.#excluded.get(set.key);
    if (found === undefined) {
      const bytes = this.#excludedBytes(set);
      found = null;
      if (bytes.includes(1)) {
        const flat = this.#tensor(bytes);
        found = keep(flat.unsqueeze(-1));
        flat.dispose();
      }
      this.#excluded.set(set.key, found);
    }
    return found;
  }

  #perSequence(bytes: Uint8Array): Float64Array {
    let from = 0;
    return Float64Array.from(this.extents, (extent) =>
      bytes.subarray(from, (from += extent)).reduce((sum, one) => sum + one, 0),
    );
  }

  /** Sums of values of tokens [n, B, T] over the positions of each sequence: [n, sequences]. */
  sums(values: Tensor): Tensor {
    if (this.#options.isUnpadded !== true) return values.sum([-1], { dtype: 'float64' });
    const { device } = this.#options;
    this.#lengths ??= keep(
      fromTypedArray(BigInt64Array.from(this.extents, BigInt), [this.extents.length], { device }),
    );
    const byToken = values.squeeze(1).t().to({ dtype: 'float64' }).contiguous(); // [T, n]
    return ops
      .segment_reduce(byToken, 'sum', { lengths: this.#lengths, axis: 0, unsafe: true })
      .t()
      .contiguous();
  }

  dispose(): void {
    for (const mask of this.#masks.values()) mask.dispose();
    for (const mask of this.#excluded.values()) mask?.dispose();
    for (const rows of this.#rows.values()) rows.dispose();
    this.#ahead?.dispose();
    this.#lengths?.dispose();
    this.#lengths = null;
    this.#rows.clear();
    this.#masks.clear();
    this.#excluded.clear();
  }
}
