import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  kernels,
  manualSeed,
  numThreads,
  ops,
  setNumThreads,
  tensor,
  type DType,
  type Tensor,
} from '#src/torch/index.js';

const farthest = (a: Tensor, b: Tensor): number =>
  a
    .to({ dtype: 'float64' })
    .sub(b.to({ dtype: 'float64' }))
    .abs()
    .max()
    .item();

const binding = import.meta.resolve('#src/torch/index.js');

describe('threads', () => {
  it('of libtorch all take part in a kernel, whose result is the same bytes for one', () => {
    const before = numThreads();
    const q = ops.randn([3, 200, 4, 32]);
    const attended = (): unknown =>
      kernels.attend(q, q, q, [200, 150, 7], null, null, 0.2).toArray();
    try {
      setNumThreads(2);
      const two = attended();
      setNumThreads(1);
      expect(attended()).toEqual(two);
    } finally {
      setNumThreads(before);
    }
  });

  // OpenMP starts its threads with the first loop that is divided: in a process whose first such
  // loop is a kernel's, they are there afterwards.
  it.skipIf(!existsSync('/proc/self/task')).each([1, 2, 4])('are %i', (threads) => {
    const program = `
      import { readdirSync } from 'node:fs';
      import { kernels, ops, setNumThreads } from ${JSON.stringify(binding)};
      const count = () => readdirSync('/proc/self/task').length;
      setNumThreads(${threads});
      const q = ops.empty([4, 200, 4, 32]);
      const before = count();
      kernels.attend(q, q, q, [200, 200, 200, 200], null, null, 0.2);
      console.log(count() - before + 1);`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    expect(run).toMatchObject({ stdout: `${threads}\n`, status: 0 });
  });
});

describe('row_products', () => {
  it.each([
    [5, 128],
    [300, 129],
    [3, 7],
    [0, 16],
  ])('of %i rows of %i are those of float64', (n, d) => {
    const [x, y] = [ops.randn([n, d]), ops.randn([n, d])];
    const [wideX, wideY] = [x.to({ dtype: 'float64' }), y.to({ dtype: 'float64' })];
    const error = wideY.sub(wideX);
    const expected = ops.stack(
      [wideX.mul(wideX), error.mul(error), wideY.mul(wideY), wideX.mul(wideY)].map((all) =>
        all.sum([-1]),
      ),
    );
    const found = kernels.rowProducts(x, y);
    expect(found.shape).toEqual([4, n]);
    expect(found.dtype).toBe('float64');
    if (n > 0) expect(farthest(found, expected) / d).toBeLessThan(1e-13);
    // Strides are honoured.
    if (n > 0) expect(farthest(kernels.rowProducts(x.t().contiguous().t(), y), found)).toBe(0);
  });

  it('keep NaN and infinity, and refuse what does not fit', () => {
    const x = tensor([
      [NaN, 1],
      [Infinity, 1],
    ]);
    const [squares] = kernels.rowProducts(x, ops.zeros([2, 2])).toArray() as number[][];
    expect(squares).toEqual([NaN, Infinity]);
    expect(() => kernels.rowProducts(x, ops.zeros([2, 3]))).toThrow(/two matrices \[n, d\]/);
  });
});

describe('keep_largest', () => {
  const sorted = ({
    values,
    indices,
  }: {
    values: Tensor;
    indices: Tensor;
  }): [number, number][][] => {
    const [v, i] = [values.toArray() as number[][], indices.toArray() as number[][]];
    return v.map((row, n) =>
      row
        .map((value, j): [number, number] => [value, i[n]![j]!])
        .sort((a, b) => b[0] - a[0] || a[1] - b[1]),
    );
  };

  it.each([
    [1, 1, 1],
    [3, 5, 5],
    [7, 64, 1],
    [5, 65, 64],
    [16, 1024, 16],
    [9, 16_384, 64],
    [4, 5000, 4999],
  ])('takes the same as topk of [%i, %i], k %i', (n, m, k) => {
    manualSeed(n + m + k);
    const a = ops.randn([n, m]);
    const [values, indices] = kernels.keepLargest(a, k);
    const [wanted, at] = ops.topk(a, k, { dim: -1 });
    expect(sorted({ values, indices })).toEqual(sorted({ values: wanted, indices: at }));
  });

  it('keeps the first of equal values, negative ones, infinities, and NaN as the largest', () => {
    const a = tensor([
      [1, 1, 1, 1],
      [-3, -1, -2, -4],
      [-Infinity, -Infinity, 0, -Infinity],
      [0, Number.NaN, 5, Infinity],
    ]);
    const [values, indices] = kernels.keepLargest(a, 2);
    expect(indices.toArray()).toEqual([
      [0, 1],
      [1, 2],
      [0, 2],
      [1, 3],
    ]);
    expect(values.toArray()).toEqual([
      [1, 1],
      [-1, -2],
      [-Infinity, 0],
      [Number.NaN, Infinity],
    ]);
  });

  it('takes rows that rise, where every value passes the threshold', () => {
    const a = ops.arange(5000, { dtype: 'float32' }).unsqueeze(0);
    expect(kernels.keepLargest(a, 3)[1].toArray()).toEqual([[4997, 4998, 4999]]);
  });

  it('composes other dtypes of ATen operators, with the same result', () => {
    manualSeed(9);
    const a = ops.randn([5, 300]);
    const [values, indices] = kernels.keepLargest(a.to({ dtype: 'float64' }), 7);
    const [ours, at] = kernels.keepLargest(a, 7);
    expect(sorted({ values, indices })).toEqual(sorted({ values: ours, indices: at }));
  });

  it('refuses k out of range', () => {
    expect(() => kernels.keepLargest(tensor([[1, 2]]), 3)).toThrow(/k in 1…2/);
  });
});

describe('standardize', () => {
  it.each([
    [1, 2],
    [5, 16],
    [64, 2048],
    [3, 4097],
  ])('is (h − mean) / (std + 1e-6) on [%i, %i]', (n, d) => {
    manualSeed(n * d);
    const h = ops.randn([n, d]).mul(3).add(7);
    const [x, mean, std] = kernels.standardize(h);
    const wide = h.to({ dtype: 'float64' });
    const expectedStd = wide.std(-1, { unbiased: true, keepdim: true } as never);
    const expectedMean = wide.mean([-1], { keepdim: true });
    // float32 sums in blocks: a few roundings of numbers around 10.
    expect(farthest(mean, expectedMean)).toBeLessThan(2e-6);
    expect(farthest(std, expectedStd)).toBeLessThan(2e-6);
    expect(farthest(x, wide.sub(expectedMean).div(expectedStd.add(1e-6)))).toBeLessThan(2e-5);
  });

  it('composes other dtypes of ATen operators, with the same result', () => {
    manualSeed(3);
    const h = ops.randn([9, 300]).add(2);
    const ours = kernels.standardize(h);
    kernels
      .standardize(h.to({ dtype: 'float64' }))
      .forEach((wide, i) => expect(farthest(ours[i]!, wide)).toBeLessThan(5e-6));
  });

  it('gives zero for a constant row, and NaN for one with NaN', () => {
    const [x] = kernels.standardize(
      tensor([
        [2, 2, 2],
        [1, Number.NaN, 3],
      ]),
    );
    expect((x.toArray() as number[][])[0]).toEqual([0, 0, 0]);
    expect((x.toArray() as number[][])[1]!.every(Number.isNaN)).toBe(true);
  });
});

describe('rms_norm', () => {
  it.each([
    [3, 7],
    [16, 2048],
  ])('is x / √(mean x² + ε) · weight on [%i, %i]', (n, d) => {
    manualSeed(n);
    const [x, weight] = [ops.randn([2, n, d]), ops.randn([d])];
    const wide = x.to({ dtype: 'float64' });
    const expected = wide
      .mul(wide.square().mean([-1], { keepdim: true }).add(1e-5).rsqrt())
      .mul(weight);
    expect(farthest(kernels.rmsNorm(x, weight, 1e-5), expected)).toBeLessThan(5e-6);
    expect(
      farthest(kernels.rmsNorm(wide, weight.to({ dtype: 'float64' }), 1e-5), expected),
    ).toBeLessThan(1e-12);
  });

  it.each(['bfloat16', 'float16'] as DType[])(
    'rounds to %s before and after the weight, as Llama does',
    (dtype) => {
      manualSeed(4);
      const x = ops.randn([5, 3000]).mul(3).to({ dtype });
      const weight = ops.randn([3000]).to({ dtype });
      const wide = x.to({ dtype: 'float32' });
      const expected = wide
        .mul(wide.square().mean([-1], { keepdim: true }).add(1e-5).rsqrt())
        .to({ dtype })
        .mul(weight);
      const found = kernels.rmsNorm(x, weight, 1e-5);
      expect(found.dtype).toBe(dtype);
      // Where the float32 factor differs in its last bit, a value at a rounding boundary moves by
      // one step of 2^-8 of itself, and its product again.
      const allowed = expected
        .to({ dtype: 'float32' })
        .abs()
        .mul(dtype === 'bfloat16' ? 2 ** -7 : 2 ** -10);
      const error = found
        .to({ dtype: 'float32' })
        .sub(expected.to({ dtype: 'float32' }))
        .abs();
      expect(error.gt(allowed).any().item()).toBe(false);
      expect(error.ne(0).sum().item()).toBeLessThan(30); // of 15,000
    },
  );

  it('passes NaN on in half precision, in its row alone', () => {
    const weight = ops.ones([4]).to({ dtype: 'bfloat16' });
    const rows = tensor([
      [1, Number.NaN, 2, 3],
      [1, 2, 3, 4],
    ]).to({ dtype: 'bfloat16' });
    const found = kernels.rmsNorm(rows, weight, 0).isnan();
    expect([0, 1].map((row) => found.select(0, row).any().item())).toEqual([true, false]);
  });
});

describe('linear_from_parts', () => {
  it.each([
    [1, 1, 1],
    [7, 64, 33],
    [100, 2048, 700],
    [40, 9000, 2100],
  ])('is x Wᵀ + b of [%i, %i] and %i outputs', (n, k, m) => {
    manualSeed(n);
    const [x, weight, bias] = [ops.randn([n, k]), ops.randn([m, k]), ops.randn([m])];
    const wide = (t: Tensor): Tensor => t.to({ dtype: 'float64' });
    const expected = ops.linear(wide(x), wide(weight));
    const found = wide(kernels.linearFromParts(x, weight));
    // Two parts hold 16 bits or more of each factor: their product is off by at most 2^-16 of |x|
    // |w|.
    const allowed = ops.linear(wide(x).abs(), wide(weight).abs()).mul(2 ** -16);
    expect(found.sub(expected).abs().gt(allowed).any().item()).toBe(false);
    // Taken together less, as the errors have either sign: observed 4.5e-6.
    if (n * m > 100)
      expect(found.sub(expected).norm().div(expected.norm()).item()).toBeLessThan(1e-5);
    expect(farthest(kernels.linearFromParts(x, weight, bias), found.add(wide(bias)))).toBeLessThan(
      1e-4,
    );
  });

  it('composes what it is not made for of ATen operators', () => {
    manualSeed(6);
    const [x, weight] = [
      ops.randn([4, 6]).to({ dtype: 'float64' }),
      ops.randn([5, 6]).to({ dtype: 'float64' }),
    ];
    expect(farthest(kernels.linearFromParts(x, weight), ops.linear(x, weight))).toBe(0);
    const turned = ops.randn([6, 5]);
    expect(
      farthest(
        kernels.linearFromParts(x.to({ dtype: 'float32' }), turned.t()),
        ops.linear(x.to({ dtype: 'float32' }), turned.t()),
      ),
    ).toBe(0);
    expect(() => kernels.linearFromParts(ops.randn([4, 6]), turned)).toThrow(
      /x \[n, k\] and W \[m, k\]/,
    );
  });
});

describe('attend', () => {
  interface Case {
    lengths: number[];
    T: number;
    heads: number;
    groups: number;
    headDim: number;
    copies?: number;
    window?: number;
    rotated?: number;
    dtype?: DType;
  }
  const cases: Case[] = [
    { lengths: [1], T: 1, heads: 1, groups: 1, headDim: 1 },
    { lengths: [5, 3], T: 5, heads: 2, groups: 2, headDim: 8 },
    { lengths: [64, 17, 63], T: 64, heads: 4, groups: 2, headDim: 32, copies: 3, rotated: 32 },
    { lengths: [130, 1], T: 130, heads: 6, groups: 2, headDim: 20, rotated: 10 },
    { lengths: [200], T: 200, heads: 2, groups: 1, headDim: 80, rotated: 80 },
    { lengths: [100, 40], T: 100, heads: 2, groups: 1, headDim: 64, window: 7 },
    { lengths: [300], T: 300, heads: 1, groups: 1, headDim: 16, window: 128 },
    { lengths: [250, 97], T: 250, heads: 2, groups: 2, headDim: 16, window: 3 },
    { lengths: [12], T: 40, heads: 1, groups: 1, headDim: 600, rotated: 64 },
    { lengths: [90, 70], T: 90, heads: 4, groups: 4, headDim: 64, dtype: 'bfloat16', rotated: 64 },
  ];

  it.each(cases)(
    'agrees with the definition in float64: %o',
    ({
      lengths,
      T,
      heads,
      groups,
      headDim,
      copies = 1,
      window = 0,
      rotated = 0,
      dtype = 'float32',
    }) => {
      manualSeed(T);
      const rows = lengths.length * copies;
      const make = (h: number): Tensor => ops.randn([rows, T, h, headDim]).to({ dtype });
      const [q, k, v] = [make(heads), make(groups), make(groups)];
      const angles = ops.outer(
        ops.arange(T, { dtype: 'float32' }),
        ops.randn([Math.max(rotated / 2, 1)]),
      );
      const both = ops.cat([angles, angles], -1);
      const [cosines, sines] =
        rotated === 0 ? [null, null] : [both.cos().to({ dtype }), both.sin().to({ dtype })];
      const found = kernels.attend(q, k, v, lengths, cosines, sines, 0.3, { window });

      const turn = (x: Tensor): Tensor => {
        const wide = x.to({ dtype: 'float64' }).transpose(1, 2); // [rows, H, T, hd]
        if (cosines === null || sines === null) return wide;
        const [first, rest] = [
          wide.narrow(-1, 0, rotated),
          wide.narrow(-1, rotated, headDim - rotated),
        ];
        const [a, b] = first.chunk(2, -1) as [Tensor, Tensor];
        return ops.cat([first.mul(cosines).add(ops.cat([b.neg(), a], -1).mul(sines)), rest], -1);
      };
      const repeat = (x: Tensor): Tensor => x.repeat_interleave(heads / groups, 1);
      const scores = turn(q)
        .matmul(repeat(turn(k)).transpose(-1, -2))
        .mul(0.3); // [rows, H, T, T]
      const query = ops.arange(T).reshape([1, 1, T, 1]);
      const key = ops.arange(T).reshape([1, 1, 1, T]);
      const real = tensor(Array.from({ length: copies }, () => lengths).flat(), {
        dtype: 'int64',
      }).reshape([rows, 1, 1, 1]);
      let seen = key.le(query).logical_and(key.lt(real));
      if (window > 0) seen = seen.logical_and(query.sub(key).lt(window));
      const expected = scores
        .masked_fill(seen.logical_not(), -Infinity)
        .softmax(-1)
        .matmul(repeat(v.to({ dtype: 'float64' }).transpose(1, 2)))
        .transpose(1, 2)
        .flatten(2);
      // Padded queries out of every window may hold anything finite.
      const counted = seen.any(-1).transpose(1, 2); // [rows, T, 1]
      const difference = ops
        .where(counted, found.to({ dtype: 'float64' }).sub(expected), 0)
        .abs()
        .max()
        .item();
      // float32: exp to 2e-7 and sums of some hundred terms around 1; bfloat16: the result's own
      // rounding, 2^-8 of values up to 4.
      expect(difference).toBeLessThan(dtype === 'float32' ? 2e-5 : 0.02);
      expect(found.isfinite().all().item()).toBe(true);
    },
  );

  it.each([0, 5])('gives unpadded sequences the bits of each by itself: window %d', (window) => {
    manualSeed(3);
    const lengths = [70, 1, 33];
    const make = (h: number): Tensor => ops.randn([2, 104, h, 24]);
    const [q, k, v] = [make(4), make(2), make(2)];
    const angles = ops.randn([104, 16]);
    const [cosines, sines] = [angles.cos(), angles.sin()];
    const unpadded = kernels.attend(q, k, v, lengths, cosines, sines, 0.2, {
      window,
      unpadded: true,
    });
    expect(unpadded.shape).toEqual([2, 104, 96]);
    let from = 0;
    for (const length of lengths) {
      const own = (x: Tensor, dim = 1): Tensor => x.narrow(dim, from, length);
      const table = [own(cosines, 0), own(sines, 0)] as const;
      const alone = kernels.attend(own(q), own(k), own(v), [length], ...table, 0.2, { window });
      expect(ops.equal(own(unpadded), alone)).toBe(true);
      from += length;
    }
  });

  it('passes NaN on', () => {
    const q = ops.full([1, 2, 1, 4], Number.NaN);
    expect(kernels.attend(q, q, q, [2], null, null, 1).isnan().all().item()).toBe(true);
  });

  it('refuses what does not fit', () => {
    const q = ops.randn([2, 4, 2, 8]);
    expect(() => kernels.attend(q, q, q, [4, 5], null, null, 1)).toThrow(/length 5/);
    expect(() => kernels.attend(q, q, q, [4, 4, 4], null, null, 1)).toThrow(/multiple of 3/);
    expect(() => kernels.attend(q, q, q, [2, 1], null, null, 1, { unpadded: true })).toThrow(
      /3 tokens do not fill a row of 4/,
    );
    expect(() =>
      kernels.attend(q, q.narrow(1, 0, 3), q.narrow(1, 0, 3), [4, 4], null, null, 1),
    ).toThrow(/does not go with/);
  });
});
