/**
 * Sums over resamples: the definition in TypeScript and the kernel give the bits of plain Python
 * (test/golden/bootstrap/make.py), and each other's on numbers of every kind.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { randomWords, stateOf } from '#src/evaluation/result/random-words.js';
import { resampledSums } from '#src/evaluation/result/resampled-sums.js';
import {
  fromTypedArray,
  kernels,
  numThreads,
  ops,
  scope,
  setNumThreads,
} from '#src/torch/index.js';

interface Golden {
  words: { seed: number; words: number[] }[];
  sums: { seed: number; columns: string[][]; rows: string[][] }[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/bootstrap/expected.json', import.meta.url), 'utf8'),
) as Golden;

/** A number as Python's `float.hex()` writes it. */
function fromHex(text: string): number {
  const [, sign, whole, digits = '', exponent] = /^(-?)0x([01])(?:\.([0-9a-f]+))?p([+-]\d+)$/.exec(
    text,
  )!;
  const mantissa = Number(BigInt(`0x${whole}${digits}`)) * 2 ** (-4 * digits.length);
  return (sign === '' ? 1 : -1) * mantissa * 2 ** Number(exponent);
}

const bitsOf = (values: Float64Array): BigUint64Array => new BigUint64Array(values.slice().buffer);

type Columns = readonly Float64Array[];

function byKernel(columns: Columns, seed: number, resamples: number): Float64Array {
  let sums: Float64Array = new Float64Array();
  scope(() => {
    const tensors = columns.map((column) => fromTypedArray(column));
    sums = kernels.resampledSums(tensors, stateOf(seed), resamples).toTypedArray() as Float64Array;
    return null;
  });
  return sums;
}

const ways = {
  TypeScript: (columns: Columns, seed: number, resamples: number) =>
    resampledSums(columns, stateOf(seed), resamples),
  'the kernel': byKernel,
};

describe.each(Object.entries(ways))('sums over resamples by %s', (_, sumsOf) => {
  it.each(golden.sums)('have the bits of plain Python, seed $seed', ({ seed, columns, rows }) => {
    const values = columns.map((column) => Float64Array.from(column, fromHex));
    expect(sumsOf(values, seed, rows.length)).toEqual(Float64Array.from(rows.flat(), fromHex));
  });

  it('count each sequence as often as it was drawn', () => {
    const n = 11;
    const one = Array.from({ length: n }, (_, i) =>
      Float64Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)),
    );
    const word = randomWords(stateOf(9));
    const counts = new Float64Array(40 * n);
    for (let draw = 0; draw < counts.length; draw++)
      counts[Math.floor(draw / n) * n + Math.floor((word() * n) / 2 ** 32)]! += 1;
    expect(sumsOf(one, 9, 40)).toEqual(counts);
  });

  it('are as near to a matrix product as rounding allows', () => {
    const [n, resamples] = [300, 100];
    const word = randomWords(stateOf(1));
    const columns = Array.from({ length: 20 }, () =>
      Float64Array.from({ length: n }, () => word() / 2 ** 31 - 1),
    );
    const draws = randomWords(stateOf(5));
    const counts = new Float64Array(resamples * n);
    for (let draw = 0; draw < counts.length; draw++)
      counts[Math.floor(draw / n) * n + Math.floor((draws() * n) / 2 ** 32)]! += 1;
    scope(() => {
      const product = ops.matmul(
        fromTypedArray(counts, [resamples, n]),
        ops.stack(columns.map((column) => fromTypedArray(column))).t(),
      );
      const found = fromTypedArray(sumsOf(columns, 5, resamples), [resamples, 20]);
      // 300 products of at most 10 add up to 600 at most; 300 roundings of that are below 1e-10.
      expect(found.sub(product).abs().max().item()).toBeLessThan(1e-10);
      return null;
    });
  });

  it('are nothing for no sequences', () => {
    expect(sumsOf([new Float64Array(0), new Float64Array(0)], 1, 3)).toEqual(new Float64Array(6));
  });
});

it.each(golden.words)('the words of seed $seed are those of xorshift128', ({ seed, words }) => {
  const word = randomWords(stateOf(seed));
  expect(words.map(() => word())).toEqual(words);
});

describe('both ways', () => {
  const threads = numThreads();
  afterEach(() => setNumThreads(threads));

  /** Columns of every kind of number; two of them without infinity and NaN. */
  function odd(n: number, count: number, seed: number): Float64Array[] {
    const word = randomWords(stateOf(seed));
    const wild = [-0, 0, 5e-324, -5e-324, 2.2e-308, 1e308, -1e308, 1.7976931348623157e308, 1, 3];
    const beyond = [...wild, Infinity, -Infinity, NaN];
    return Array.from({ length: count }, (_, c) =>
      Float64Array.from({ length: n }, () => {
        const kind = word() % 8;
        if (kind === 0) return wild[word() % wild.length]!;
        if (kind === 1 && c % 3 === 2 && word() % 16 === 0) return beyond[word() % beyond.length]!;
        const exponent = c % 2 === 0 ? (word() % 40) - 20 : (word() % 2000) - 1040;
        return (word() / 2 ** 31 - 1) * 2 ** exponent;
      }),
    );
  }

  it.each([
    { n: 1, columns: 1, resamples: 3, use: 1 },
    { n: 20, columns: 5, resamples: 31, use: 2 },
    { n: 127, columns: 8, resamples: 64, use: 2 },
    { n: 128, columns: 9, resamples: 65, use: 1 },
    { n: 129, columns: 17, resamples: 100, use: 2 },
    { n: 1000, columns: 37, resamples: 333, use: 2 },
    { n: 70_000, columns: 3, resamples: 40, use: 2 },
  ])('give the same bits: %o', ({ n, columns: count, resamples, use }) => {
    setNumThreads(use);
    const columns = odd(n, count, n + count);
    const defined = resampledSums(columns, stateOf(n), resamples);
    expect(bitsOf(byKernel(columns, n, resamples))).toEqual(bitsOf(defined));
    expect(defined.some((sum) => sum !== 0)).toBe(true);
  });

  it('agree on −0, and on what was not drawn', () => {
    const columns = [
      new Float64Array(30).fill(-0),
      Float64Array.from({ length: 30 }, (_, i) => (i === 4 ? Infinity : 1)),
    ];
    const defined = resampledSums(columns, stateOf(3), 200);
    expect(bitsOf(byKernel(columns, 3, 200))).toEqual(bitsOf(defined));
    expect(new Set(defined.filter((_, i) => i % 2 === 1))).toEqual(new Set([Infinity, NaN]));
    expect(defined.every((sum, i) => i % 2 === 1 || Object.is(sum, 0))).toBe(true);
  });

  it('refuse what are no columns', () => {
    const column = ops.zeros([4], { dtype: 'float64' });
    const call =
      (...columns: unknown[]) =>
      () =>
        kernels.resampledSums(columns as never, stateOf(1), 2);
    expect(call()).toThrow(/expected columns/);
    expect(call(column, ops.zeros([5], { dtype: 'float64' }))).toThrow(/columns of 4 float64/);
    expect(call(ops.zeros([4]))).toThrow(/columns of 4 float64/);
    expect(() => kernels.resampledSums([column], [1, 2], 2)).toThrow(/four words/);
  });
});
