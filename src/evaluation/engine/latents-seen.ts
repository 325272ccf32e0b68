/**
 * The latents of a micro-batch for the latents table, as their few entries on the host, until the
 * micro-batch is done.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import type { Target } from '../../metrics/keys.js';
import type { LatentEntries, TallyShape } from '../../metrics/latent-tally.js';
import type { Latents } from '../../sae/index.js';
import { scope, type Tensor } from '../../torch/index.js';
import type { PositionSet } from '../positions.js';
import type { Positions } from './positions.js';

/** The place at which latents were read. */
export interface SeenAt {
  slot: number;
  /** Places of a position at which the same latents are read. */
  slots: number;
  /** Number of their first latent, if each layer has latents of its own; default 0. */
  offset?: number;
  /** Number of latents of all layers; default those that are given. */
  m?: number;
}

/** Values of dense latents that are searched at once, so that little beside them is held. */
const searchedAtOnce = 2 ** 22;

/** The first variant of an SAE: the request's own setting. The points of a sweep have no table. */
const isFirst = (owner: string): boolean => /^\d+\.0$/.test(owner);

interface Seen {
  shape: TallyShape;
  entries: LatentEntries[];
}

export class LatentsSeen {
  readonly #seen = new Map<string, Seen>();

  /** @param contexts contexts of each latent. */
  constructor(private readonly contexts: number) {}

  see(owner: string, latents: Latents, at: SeenAt = { slot: 0, slots: 1 }): void {
    if (!isFirst(owner)) return;
    const { slot, slots, offset = 0 } = at;
    const own = latents.form === 'sparse' ? latents.m : latents.values.shape.at(-1)!;
    let seen = this.#seen.get(owner);
    if (seen === undefined) {
      seen = { shape: { m: at.m ?? own, n: this.contexts, slots }, entries: [] };
      this.#seen.set(owner, seen);
    }
    const rows = latents.form === 'sparse' ? keptEntries(latents) : activeEntries(latents.values);
    seen.entries.push({ slot, offset, ...rows });
  }

  /** Adds what was seen to the tallies of an accumulator. */
  moveTo(
    accumulator: Accumulator,
    {
      first,
      positions,
      setOf,
    }: { first: number; positions: Positions; setOf: (of: Omit<Target, 'slot'>) => PositionSet },
  ): void {
    const { extents, seqLen } = positions;
    for (const [owner, { shape, entries }] of this.#seen) {
      const counted = positions.flags('strict', 'positions', setOf({ owner, protocol: 'strict' }));
      accumulator.tally(owner, shape).add({ first, extents, seqLen, counted, entries });
    }
    this.#seen.clear();
  }
}

type Rows = Pick<LatentEntries, 'starts' | 'latents' | 'values'>;

const onHost = (values: Tensor): Float32Array | Float64Array =>
  values.toTypedArray() as Float32Array | Float64Array;

/** The entries of latents of which k were kept, zeros among them. */
function keptEntries({ values, indices }: { values: Tensor; indices: Tensor }): Rows {
  const [N, k] = values.shape as [number, number];
  return {
    starts: Int32Array.from({ length: N + 1 }, (_, row) => row * k),
    latents: scope(() => indices.to({ dtype: 'int32' })).toTypedArray() as Int32Array,
    values: onHost(values),
  };
}

/** The entries of dense latents [N, m] that are not zero. */
function activeEntries(all: Tensor): Rows {
  const [N, m] = all.shape as [number, number];
  const step = Math.max(1, Math.floor(searchedAtOnce / m));
  const starts = new Int32Array(N + 1);
  const parts: { latents: Int32Array; values: Float32Array | Float64Array }[] = [];
  let total = 0;
  for (let from = 0; from < N; from += step) {
    const rows = Math.min(step, N - from);
    const { places, values } = scope(() => {
      const flat = all.narrow(0, from, rows).reshape([-1]);
      const found = flat.nonzero().reshape([-1]);
      return { places: found.to({ dtype: 'int32' }), values: flat.index_select(0, found) };
    });
    const latents = places.toTypedArray() as Int32Array;
    parts.push({ latents, values: onHost(values) });
    places.dispose();
    values.dispose();
    for (let at = 0; at < latents.length; at++) {
      const row = Math.floor(latents[at]! / m);
      starts[from + row + 1]! += 1;
      latents[at]! -= row * m;
    }
    total += latents.length;
  }
  for (let row = 0; row < N; row++) starts[row + 1]! += starts[row]!;
  const latents = new Int32Array(total);
  const values = parts.some((one) => one.values instanceof Float64Array)
    ? new Float64Array(total)
    : new Float32Array(total);
  let at = 0;
  for (const part of parts) {
    latents.set(part.latents, at);
    values.set(part.values, at);
    at += part.latents.length;
  }
  return { starts, latents, values };
}
