import { describe, expect, it } from 'vitest';
import { linear, linearWidened, manualSeed, multipliesNatively, ops, type DType, type Tensor } from '#src/torch/index.js';

const wide = (x: Tensor): Tensor => x.to({ dtype: 'float64' });

describe('linear', () => {
  it('multiplies float32 as libtorch does', () => {
        manualSeed(1);
    const [x, w, b] = [ops.randn([3, 5, 40]), ops.randn([9, 40]), ops.randn([9])];
    expect(multipliesNatively(x)).toBe(true);
    expect(linear(x, w, b).toArray()).toEqual(ops.linear(x, w, b).toArray());
  });

  // Rounded once at the end, to 8 or 11 bits; sums are float32. The second W is widened in three blocks, the last short.
  describe.each<[DType, number]>([['bfloat16', 2 ** -8], ['float16', 2 ** -11]])('in %s', (dtype, rounding) => {
    it.each([[[2, 7, 33], 20, true], [[5, 9000], 1000, true], [[5, 9000], 1000, false], [[1, 1], 1, false]] as const)('is x Wᵀ + b of x %j and %i outputs, bias %s', (shape, m, biased) => {
      manualSeed(m);
      const k = shape.at(-1)!;
      const [x, w, b] = [ops.randn([...shape]), ops.randn([m, k]).div(Math.sqrt(k)), ops.randn([m])].map((each) => each.to({ dtype })) as [Tensor, Tensor, Tensor];
      const bias = biased ? b : null;
      const exact = ops.linear(wide(x), wide(w), bias === null ? null : wide(b));
      const found = linearWidened(x, w, bias);
      expect(found.dtype).toBe(dtype);
      expect(found.shape).toEqual([...shape.slice(0, -1), m]);
      expect(wide(found).sub(exact).abs().sub(exact.abs().mul(rounding)).max().item()).toBeLessThan(1e-5);
      // Whatever this CPU takes, the result is the dtype's: with products rounded on the way, a little farther.
      expect(wide(linear(x, w, bias)).sub(exact).abs().sub(exact.abs().mul(2 * rounding)).max().item()).toBeLessThan(4 * rounding);
    });

    it('keeps what is not finite', () => {
      const x = ops.full([1, 3], Number.NaN, { dtype });
      expect(linearWidened(x, ops.ones([2, 3], { dtype })).toArray()).toEqual([[Number.NaN, Number.NaN]]);
    });
  });
});
