/**
 * Vectors of a batch, added up on the device that computes them: there are few micro-batches in a
 * batch, and a transfer of every vector after each would make the device wait.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import { keep, ops, scope, type Tensor } from '../../torch/index.js';

/** Float64 tensors one after the other, in one transfer. */
export function onHost(vectors: readonly Tensor[]): Float64Array {
  if (vectors.length === 0) return new Float64Array();
  const flat = scope(() =>
    ops.cat(
      vectors.map((each) => each.reshape([-1])),
      0,
    ),
  );
  try {
    return flat.toTypedArray() as Float64Array;
  } finally {
    flat.dispose();
  }
}

/** Sums of vectors by key, float64 each. */
export class VectorSums {
  readonly #sums = new Map<string, Tensor>();

  /** Takes over vectors and adds those of one key up. No memory is taken. */
  add(vectors: Iterable<readonly [key: string, values: Tensor]>): void {
    for (const [key, values] of vectors) {
      const sum = this.#sums.get(key);
      if (sum === undefined) this.#sums.set(key, values);
      else {
        sum.add_(values);
        values.dispose();
      }
    }
  }

  /** The sums with some vectors added, by key. They belong to the caller. */
  with(vectors: Iterable<readonly [key: string, values: Tensor]>): Map<string, Tensor> {
    const totals = new Map<string, Tensor>();
    const copy = (key: string, values: Tensor): void =>
      void totals.set(key, keep(scope(() => values.clone())));
    try {
      for (const [key, sum] of this.#sums) copy(key, sum);
      for (const [key, values] of vectors) {
        const total = totals.get(key);
        if (total === undefined) copy(key, values);
        else total.add_(values);
      }
      return totals;
    } catch (thrown) {
      for (const total of totals.values()) total.dispose();
      throw thrown;
    }
  }

  /** Moves the sums to an accumulator, in one transfer. */
  moveTo(accumulator: Accumulator): void {
    for (const [key, values] of this.take()) accumulator.add(key, values);
  }

  /** The sums on the host, in one transfer. Nothing is left here. */
  take(): Map<string, Float64Array> {
    const sums = [...this.#sums];
    const all = onHost(sums.map(([, sum]) => sum));
    let offset = 0;
    const taken = sums.map(
      ([key, { numel }]) => [key, all.slice(offset, (offset += numel))] as const,
    );
    this.dispose();
    return new Map(taken);
  }

  dispose(): void {
    for (const sum of this.#sums.values()) sum.dispose();
    this.#sums.clear();
  }
}
