/**
 * Counted tokens of a batch that wait for the batch's mean, which SAELens' and SAEBench's legacy
 * explained variance subtracts. SAEs of one place share them. They are put together in the order of
 * the text before anything is added up, so that the cut into micro-batches changes no bit.
 */
import type { Accumulator } from '../../../metrics/accumulator.js';
import { slotKey, type Target } from '../../../metrics/keys.js';
import { batchColumns } from '../../../metrics/peers/columns.js';
import { ops, scope, type Tensor } from '../../../torch/index.js';
import { onHost } from '../vectors.js';

/** Tokens of a micro-batch at one place that some SAEs count. */
export interface HeldTokens {
  /** Activations of the counted tokens, in float32 at least: [n, d]. */
  readonly h: Tensor;
  /** Number of counted tokens of each sequence. */
  readonly counts: Float64Array;
  /** ‖ĥ − h‖² of these tokens, of each SAE, by its column: [n] float64. */
  readonly errors: Map<string, { target: Target; values: Tensor }>;
}

/** Held tokens by their place and the positions that count. */
export type HeldByPlace = Map<string, HeldTokens>;

export function disposeHeld(held: Iterable<HeldTokens>): void {
  for (const { h, errors } of held) {
    h.dispose();
    for (const { values } of errors.values()) values.dispose();
  }
}

/** Columns of sums per sequence. */
type Columns = [key: string, values: Float64Array][];

export class BatchTokens {
  readonly #held = new Map<string, HeldTokens[]>();

  /** Takes over the tokens of a micro-batch. No memory is taken. */
  add(pieces: HeldByPlace): void {
    for (const [place, piece] of pieces)
      this.#held.set(place, [...(this.#held.get(place) ?? []), piece]);
  }

  /** The columns of the whole batch, some last pieces included. Changes nothing. */
  columns(last: HeldByPlace = new Map<string, HeldTokens>()): Columns {
    const places = new Set([...this.#held.keys(), ...last.keys()]);
    return [...places].flatMap((place) => {
      const own = last.get(place);
      return columnsOf([...(this.#held.get(place) ?? []), ...(own === undefined ? [] : [own])]);
    });
  }

  /** Appends the columns to an accumulator and frees the tokens. */
  moveTo(accumulator: Accumulator): void {
    for (const [key, values] of this.columns()) accumulator.append(key, values);
    this.dispose();
  }

  dispose(): void {
    for (const pieces of this.#held.values()) disposeHeld(pieces);
    this.#held.clear();
  }
}

const joined = (parts: readonly Tensor[]): Tensor =>
  parts.length === 1 ? parts[0]! : ops.cat(parts, 0);

/** The columns of one place, from its micro-batches in order. */
function columnsOf(pieces: readonly HeldTokens[]): Columns {
  const [first] = pieces as [HeldTokens, ...HeldTokens[]];
  // SAEs may have had their turns in another order after memory ran out.
  const keys = [...first.errors.keys()];
  const errors = [...first.errors.values()];
  const counts = pieces.flatMap((piece) => [...piece.counts]);
  const n = counts.reduce((total, count) => total + count, 0);
  if (n === 0)
    return errors.flatMap(({ target }) =>
      columnsFor(target, { distances: new Float64Array(), legacy: new Float64Array(), counts }),
    );
  const values = scope(() => {
    const h = joined(pieces.map((piece) => piece.h)); // [n, d]
    const mean = h.sum([0], { dtype: 'float64' }).div(n).to({ dtype: h.dtype }); // [d]
    const centered = h.sub(mean);
    const distances = centered.mul(centered).sum([-1], { dtype: 'float64' }); // [n]
    const shares = keys.map((key) =>
      joined(pieces.map((piece) => piece.errors.get(key)!.values)).div(distances),
    );
    return onHost([distances, ...shares]);
  });
  const distances = values.subarray(0, n);
  return errors.flatMap(({ target }, index) => {
    const legacy = values.subarray((index + 1) * n, (index + 2) * n).map((share) => 1 - share);
    return columnsFor(target, { distances, legacy, counts });
  });
}

function columnsFor(
  target: Target,
  {
    distances,
    legacy,
    counts,
  }: { distances: Float64Array; legacy: Float64Array; counts: readonly number[] },
): Columns {
  return [
    [slotKey(target, batchColumns.legacy.name), perSequence(legacy, counts)],
    [slotKey(target, batchColumns.batchVariance.name), perSequence(distances, counts)],
  ];
}

/** Sums of consecutive values, so many for each sequence. */
function perSequence(values: Float64Array, counts: readonly number[]): Float64Array {
  let from = 0;
  return Float64Array.from(counts, (count) => {
    let total = 0;
    for (const end = from + count; from < end; from++) total += values[from]!;
    return total;
  });
}
