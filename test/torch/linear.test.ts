import { describe, expect, it } from 'vitest';
import {
  addLinear,
  linear,
  linearWidened,
  manualSeed,
  memory,
  multipliesNatively,
  ops,
  PackedWeights,
  scope,
  type DType,
  type Tensor,
} from '#src/torch/index.js';

const wide = (x: Tensor): Tensor => x.to({ dtype: 'float64' });

describe('linear', () => {
  it('multiplies float32 as libtorch does', () => {
    manualSeed(1);
    const [x, w, b] = [ops.randn([3, 5, 40]), ops.randn([9, 40]), ops.randn([9])];
    expect(multipliesNatively(x)).toBe(true);
    expect(linear(x, w, b).toArray()).toEqual(ops.linear(x, w, b).toArray());
  });

  // Large enough for oneDNN where that is taken; |sum of k products of N(0, 1)/√k| stays below some
  // 5.
  describe.each<[DType, number]>([
    ['float32', 2e-6],
    ['bfloat16', 2 ** -7],
  ])('of %s large enough for oneDNN', (dtype, tolerance) => {
    const [n, k, m] = [700, 256, 300];
    const make = (): [x: Tensor, w: Tensor, b: Tensor] => {
      manualSeed(7);
      return [ops.randn([2, n / 2, k]), ops.randn([m, k]).div(Math.sqrt(k)), ops.randn([m])].map(
        (each) => each.to({ dtype }),
      ) as [Tensor, Tensor, Tensor];
    };
    const off = (found: Tensor, exact: Tensor): number =>
      wide(found).sub(exact).abs().div(exact.abs().add(1)).max().item();

    it('is x Wᵀ + b, of all outputs, of a range of them and of a transposed W', () => {
      const [x, w, b] = make();
      const exact = ops.linear(wide(x), wide(w), wide(b));
      expect(linear(x, w, b).shape).toEqual([2, n / 2, m]);
      expect(off(linear(x, w, b), exact)).toBeLessThan(tolerance);
      expect(
        off(linear(x, w, b, { outputs: { from: 100, count: 150 } }), exact.narrow(-1, 100, 150)),
      ).toBeLessThan(tolerance);
      expect(off(linear(x, w.t().contiguous().t(), b), exact)).toBeLessThan(tolerance);
    });

    it('is the same with weights that products share, which are gone afterwards', () => {
      const [x, w, b] = make();
      const exact = ops.linear(wide(x), wide(w), wide(b));
      const before = memory().handles;
      const packed = new PackedWeights();
      const found = scope(() =>
        packed.during(() => {
          const ranges = [
            [0, 150],
            [150, 150],
            [0, 300],
            [0, 150],
          ] as const;
          return [
            linear(x, w, b, { packed }),
            linear(x, w, b, { packed }),
            ...ranges.map(([from, count]) => linear(x, w, b, { packed, outputs: { from, count } })),
          ];
        }),
      );
      expect(memory().handles - before).toBe(found.length);
      const wanted = [
        exact,
        exact,
        exact.narrow(-1, 0, 150),
        exact.narrow(-1, 150, 150),
        exact,
        exact.narrow(-1, 0, 150),
      ];
      for (const [i, each] of found.entries())
        expect(off(each, wanted[i]!)).toBeLessThan(tolerance);
      expect(() =>
        packed.during(() => {
          throw new Error('inside');
        }),
      ).toThrow('inside');
      expect(off(linear(x, w, b, { packed }), exact)).toBeLessThan(tolerance);
    });

    it('adds x Wᵀ to a sum it takes over', () => {
      const [x, w] = make();
      const rows = x.reshape([n, k]);
      const sum = ops.ones([n, m], { dtype });
      expect(off(addLinear(sum, rows, w), ops.linear(wide(rows), wide(w)).add(1))).toBeLessThan(
        2 * tolerance,
      );
    });
  });

  // Rounded once at the end, to 8 or 11 bits; sums are float32. The second W is widened in three
  // blocks, the last short.
  describe.each<[DType, number]>([
    ['bfloat16', 2 ** -8],
    ['float16', 2 ** -11],
  ])('in %s', (dtype, rounding) => {
    it.each([
      [[2, 7, 33], 20, true],
      [[5, 9000], 1000, true],
      [[5, 9000], 1000, false],
      [[1, 1], 1, false],
    ] as const)('is x Wᵀ + b of x %j and %i outputs, bias %s', (shape, m, biased) => {
      manualSeed(m);
      const k = shape.at(-1)!;
      const [x, w, b] = [
        ops.randn([...shape]),
        ops.randn([m, k]).div(Math.sqrt(k)),
        ops.randn([m]),
      ].map((each) => each.to({ dtype })) as [Tensor, Tensor, Tensor];
      const bias = biased ? b : null;
      const exact = ops.linear(wide(x), wide(w), bias === null ? null : wide(b));
      const found = linearWidened(x, w, bias);
      expect(found.dtype).toBe(dtype);
      expect(found.shape).toEqual([...shape.slice(0, -1), m]);
      expect(wide(found).sub(exact).abs().sub(exact.abs().mul(rounding)).max().item()).toBeLessThan(
        1e-5,
      );
      // Whatever this CPU takes, the result is the dtype's: with products rounded on the way, a
      // little farther.
      expect(
        wide(linear(x, w, bias))
          .sub(exact)
          .abs()
          .sub(exact.abs().mul(2 * rounding))
          .max()
          .item(),
      ).toBeLessThan(4 * rounding);
    });

    it('keeps what is not finite', () => {
      const x = ops.full([1, 3], Number.NaN, { dtype });
      expect(linearWidened(x, ops.ones([2, 3], { dtype })).toArray()).toEqual([
        [Number.NaN, Number.NaN],
      ]);
    });
  });
});
