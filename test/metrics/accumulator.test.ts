/**
 * Merged sums have the bits of one run's, whatever the grouping of the parts, on numbers chosen so
 * that ordinary addition does not; the right sums come from whole numbers of any length.
 */
import { describe, expect, it } from 'vitest';
import { Accumulator } from '#src/metrics/accumulator.js';
import { ExactSum } from '#src/metrics/exact-sum.js';

/** Seeded numbers in [0, 1). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Of every three numbers the first and the last cancel, which leaves much smaller ones. */
function adversarial(count: number, seed: number): number[] {
  const random = randomNumbers(seed);
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const exponents = i % 3 === 0 ? 600 : 40;
    const value = (random() - 0.5) * 2 ** Math.floor((random() - 0.5) * exponents);
    values.push(i % 3 === 2 ? -values[i - 2]! : value);
  }
  return values;
}

/** The sum without rounding, as a multiple of 2^-1074, the smallest float64. */
function exactSum(values: readonly number[]): bigint {
  let total = 0n;
  for (const value of values) {
    const bits = new BigUint64Array(Float64Array.of(value).buffer)[0]!;
    const exponent = (bits >> 52n) & 0x7ffn;
    const mantissa = (bits & 0xfffffffffffffn) | (exponent === 0n ? 0n : 1n << 52n);
    const magnitude = mantissa << (exponent === 0n ? 0n : exponent - 1n);
    total += bits >> 63n === 1n ? -magnitude : magnitude;
  }
  return total;
}

/** The nearest float64, halves to even. */
function rounded(total: bigint): number {
  const magnitude = total < 0n ? -total : total;
  const drop = BigInt(Math.max(0, magnitude.toString(2).length - 53));
  let kept = magnitude >> drop;
  const rest = magnitude - (kept << drop);
  const half = drop === 0n ? 0n : 1n << (drop - 1n);
  if (drop > 0n && (rest > half || (rest === half && kept % 2n === 1n))) kept += 1n;
  const value = Number(kept) * 2 ** (Number(drop) - 1000) * 2 ** -74;
  return total < 0n ? -value : value;
}

function batchOf(values: readonly number[]): Accumulator {
  const batch = new Accumulator();
  batch.append('column', Float64Array.from(values));
  for (const value of values) batch.add('vector', Float64Array.of(value, 1, -value));
  batch.endBatch(values.length);
  return batch;
}

function merged(parts: readonly Accumulator[]): Accumulator {
  const whole = new Accumulator();
  for (const part of parts) whole.merge(part);
  return whole;
}

describe('exact sums', () => {
  it('are the sum without rounding, rounded once, in any order', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const values = adversarial(300, seed);
      const expected = rounded(exactSum(values));
      const plain = values.reduce((sum, value) => sum + value, 0);
      if (seed === 1) expect(plain).not.toBe(expected); // the numbers are hard enough
      const random = randomNumbers(seed + 100);
      for (const order of [
        values,
        [...values].reverse(),
        [...values].sort((a, b) => a - b),
        values
          .map((value) => ({ value, key: random() }))
          .sort((a, b) => a.key - b.key)
          .map(({ value }) => value),
      ]) {
        const sum = new ExactSum(1);
        for (const value of order) sum.add(Float64Array.of(value));
        expect(sum.values()[0], `seed ${seed}`).toBe(expected);
      }
    }
  });

  it('round halves to even, unless a smaller part says that it was no half', () => {
    const of = (...values: number[]): number => {
      const sum = new ExactSum(1);
      for (const value of values) sum.add(Float64Array.of(value));
      return sum.values()[0]!;
    };
    expect(of(1, 2 ** -53)).toBe(1);
    expect(of(1, 2 ** -53, 2 ** -200)).toBe(1 + 2 ** -52);
    expect(of(1, 2 ** -53, -(2 ** -200))).toBe(1);
    expect(of(1 + 2 ** -52, 2 ** -53)).toBe(1 + 2 ** -51);
    expect(of(1, 2 ** 53, -(2 ** 53))).toBe(1);
    expect(of(0.1, -0.1)).toBe(0);
    expect(of(5e-324, 1, -1)).toBe(5e-324);
  });

  it('tell infinities and NaN, also when merged', () => {
    const sum = new ExactSum(4);
    sum.add(Float64Array.of(1, Infinity, NaN, 1e308));
    const whole = new ExactSum(4);
    whole.add(Float64Array.of(1, 2, 3, 1.7e308));
    whole.merge(sum);
    expect([...whole.values()]).toEqual([2, Infinity, NaN, Infinity]);
  });
});

describe('accumulators', () => {
  it('merge to the same bits in any grouping of the parts, stored or not', () => {
    const values = adversarial(240, 7);
    const batches = Array.from({ length: 60 }, (_, i) => values.slice(4 * i, 4 * i + 4));
    const whole = merged(batches.map(batchOf));
    const expected = rounded(exactSum(values));
    expect(whole.vector('vector')).toEqual(Float64Array.of(expected, 240, -expected));
    // batch by batch, as vectors were added before, gives other bits
    const plain = batches
      .map((batch) => batch.reduce((sum, value) => sum + value, 0))
      .reduce((sum, value) => sum + value, 0);
    expect(plain).not.toBe(expected);

    const random = randomNumbers(3);
    for (let round = 0; round < 20; round++) {
      const parts: Accumulator[] = [];
      for (let from = 0; from < batches.length;) {
        const to = from + 1 + Math.floor(random() * 12);
        const part = merged(batches.slice(from, to).map(batchOf));
        parts.push(round % 2 === 0 ? part : Accumulator.restore(structuredClone(part.state())));
        from = to;
      }
      // in pairs, as a tree
      while (parts.length > 1) {
        const at = Math.floor(random() * (parts.length - 1));
        parts[at]!.merge(parts.splice(at + 1, 1)[0]!);
      }
      const [one] = parts;
      expect(one!.vector('vector')).toEqual(whole.vector('vector'));
      expect(one!.column('column')).toEqual(whole.column('column'));
      expect(one!.batchSizes).toEqual(whole.batchSizes);
    }
  });

  it('hold 300,000 batches', () => {
    const part = (): Accumulator => {
      const accumulator = new Accumulator();
      const value = Float64Array.of(0.1);
      for (let batch = 0; batch < 150_000; batch++) {
        accumulator.append('column', value);
        accumulator.add('vector', value);
        accumulator.endBatch(1);
      }
      return accumulator;
    };
    const whole = part();
    whole.merge(part());
    const restored = Accumulator.restore(whole.state());
    expect(restored.batchSizes).toHaveLength(300_000);
    expect(restored.sequences).toBe(300_000);
    expect(restored.column('column')).toHaveLength(300_000);
    expect(restored.vector('vector')![0]).toBe(rounded(300_000n * exactSum([0.1])));
  });
});

describe('a long column', () => {
  it('keeps every value in order, whatever the pieces', () => {
    const accumulator = new Accumulator();
    const length = 600_000;
    for (let at = 0; at < length; at += 1023)
      accumulator.append(
        'a',
        Float64Array.from({ length: Math.min(1023, length - at) }, (_, i) => at + i),
      );
    const column = accumulator.column('a')!;
    expect(column).toHaveLength(length);
    expect(column.every((value, i) => value === i)).toBe(true);
    // Gigabytes of room would lie idle in a large run.
    expect(column.buffer.byteLength).toBeLessThan(1.3 * 8 * length);
  });
});
