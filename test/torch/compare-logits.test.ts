/** KL divergence and cross-entropies of two sets of logits against the definition in float64. */
import { describe, expect, it } from 'vitest';
import { LogitSums } from '#src/evaluation/engine/compare-logits.js';
import {
  fromTypedArray,
  kernels,
  manualSeed,
  operator,
  ops,
  tensor,
  type DType,
  type Tensor,
} from '#src/torch/index.js';

/** Compares in ranges of at most `range` tokens, in the order given. */
function compare(
  a: Tensor,
  b: Tensor,
  labels: Tensor,
  { range = a.shape[1]!, backwards = false } = {},
): [Tensor, Tensor, Tensor] {
  const sums = new LogitSums(labels);
  const starts = Array.from({ length: Math.ceil(a.shape[1]! / range) }, (_, i) => i * range);
  for (const from of backwards ? starts.reverse() : starts) {
    const count = Math.min(range, a.shape[1]! - from);
    sums.add(a.narrow(1, from, count), b.narrow(1, from, count).unsqueeze(0), { from });
  }
  const { kl, ceClean, ceSpliced } = sums.finish();
  return [kl.squeeze(0), ceClean.squeeze(0), ceSpliced.squeeze(0)];
}

/** The definition, in float64. */
function expected(a: Tensor, b: Tensor, labels: Tensor): [Tensor, Tensor, Tensor] {
  const p = a.to({ dtype: 'float64' }).log_softmax(-1);
  const q = b.to({ dtype: 'float64' }).log_softmax(-1);
  const index = labels.unsqueeze(-1);
  return [
    p.exp().mul(p.sub(q)).sum([-1]),
    p.gather(-1, index).neg().squeeze(-1),
    q.gather(-1, index).neg().squeeze(-1),
  ];
}

describe('compare_logits', () => {
  it.each([
    [1, 1],
    [3, 7],
    [5, 16],
    [4, 2049],
    [64, 4096],
    [8, 128_256],
  ])('agrees with float64 on [%i, %i]', (n, V) => {
    manualSeed(n * V);
    const a = ops.randn([n, V]).mul(4);
    const b = a.add(ops.randn([n, V]).mul(0.3));
    const labels = ops.randint(V, [n]);
    const found = compare(a, b, labels);
    expected(a, b, labels).forEach((want, i) => {
      // float32 terms of size ≤ 20 summed in blocks: 2e-5 absolute is a few roundings of the
      // log-sum-exp.
      expect(found[i]!.sub(want).abs().max().item()).toBeLessThan(2e-5);
    });
  });

  it.each(['bfloat16', 'float16', 'float64'] as DType[])('reads %s', (dtype) => {
    manualSeed(1);
    const a = ops.randn([8, 300]).to({ dtype });
    const b = ops.randn([8, 300]).to({ dtype });
    const labels = ops.randint(300, [8]);
    const found = compare(a, b, labels);
    expected(a, b, labels).forEach((want, i) =>
      expect(found[i]!.sub(want).abs().max().item()).toBeLessThan(1e-5),
    );
  });

  it.each([1, 16, 300, 2048])('gives the same over ranges of %i tokens, in any order', (range) => {
    manualSeed(range);
    const a = ops.randn([6, 2500]).mul(4);
    const b = a.add(ops.randn([6, 2500]).mul(0.3));
    const labels = ops.randint(2500, [6]);
    const want = expected(a, b, labels);
    for (const backwards of [false, true]) {
      compare(a, b, labels, { range, backwards }).forEach((found, i) =>
        expect(found.sub(want[i]!).abs().max().item()).toBeLessThan(2e-5),
      );
    }
  });

  it('is zero for equal rows, whatever their offset, and large logits do not overflow', () => {
    const a = tensor([
      [1e4, -1e4, 0],
      [1, 2, 3],
    ]);
    const [kl] = compare(a, a.add(5), tensor([0, 1], { dtype: 'int64' }));
    expect(kl.abs().max().item()).toBeLessThan(1e-3);
  });

  it('passes NaN on, in its row alone', () => {
    const a = tensor([
      [1, Number.NaN, 3],
      [1, 2, 3],
    ]);
    const [kl] = compare(
      a,
      tensor([
        [1, 2, 3],
        [1, 2, 3],
      ]),
      tensor([0, 1], { dtype: 'int64' }),
    );
    expect(kl.toArray()).toEqual([Number.NaN, 0]);
  });

  it('takes rows that are not contiguous', () => {
    manualSeed(2);
    const wide = ops.randn([50, 6]);
    const labels = ops.randint(50, [6]);
    const [kl] = compare(wide.t(), wide.t().mul(2), labels);
    expect(
      kl
        .sub(expected(wide.t(), wide.t().mul(2), labels)[0])
        .abs()
        .max()
        .item(),
    ).toBeLessThan(1e-5);
  });

  it('has no cross-entropy for a label outside the vocabulary; refuses other shapes', () => {
    expect(
      compare(tensor([[1, 2]]), tensor([[1, 2]]), tensor([2], { dtype: 'int64' }))[1].toArray(),
    ).toEqual([Number.NaN]);
    const sums = ops.zeros([1, 1, 7], { dtype: 'float64' });
    const label = tensor([0], { dtype: 'int64' });
    expect(() =>
      kernels.addLogits(sums, tensor([[1, 2]]), tensor([[[1, 2, 3]]]), label, 0),
    ).toThrow(/\[n, V\] and \[lanes, n, V\]/);
    expect(() =>
      kernels.addLogits(ops.zeros([1, 1, 7]), tensor([[1, 2]]), tensor([[[1, 2]]]), label, 0),
    ).toThrow(/float64/);
  });

  it.each(['float32', 'bfloat16', 'float16', 'float64'] as DType[])(
    'compares several lanes in %s as it does each alone',
    (dtype) => {
      manualSeed(5);
      const [n, V, lanes] = [7, 5000, 3];
      const clean = ops.randn([n, V]).mul(4).to({ dtype });
      const spliced = ops.randn([lanes, n, V]).mul(4).to({ dtype });
      const labels = ops.randint(V, [n]);
      const sums = new LogitSums(labels, { lanes });
      for (const from of [2100, 0]) {
        const count = from === 0 ? 2100 : V - 2100;
        const [a, b] = [clean.narrow(1, from, count), spliced.narrow(2, from, count)];
        sums.add(a, b.narrow(0, 0, 1), { from });
        sums.add(a, b.narrow(0, 1, 2), { from, first: 1 });
      }
      const { kl, ceClean, ceSpliced } = sums.finish();
      for (let lane = 0; lane < lanes; lane++) {
        const alone = compare(clean, spliced.select(0, lane), labels);
        // The same terms in other partial sums.
        [kl, ceClean, ceSpliced].forEach((found, i) =>
          expect(found.select(0, lane).sub(alone[i]!).abs().max().item()).toBeLessThan(2e-5),
        );
      }
    },
  );
});

describe('the program for CUDA devices, on the CPU', () => {
  type Compare = (
    sums: Tensor,
    clean: Tensor,
    lanes: Tensor,
    labels: Tensor,
    from: number,
  ) => Tensor;
  const byParts = operator('sae_eval::compare_logits_by_parts_') as Compare;

  /** Sums over ranges of the vocabulary by `compare`. */
  function sumsBy(
    compare: Compare,
    { clean, lanes, labels }: { clean: Tensor; lanes: Tensor; labels: Tensor },
    range: number,
  ): Tensor {
    const [count, n, V] = lanes.shape as [number, number, number];
    const sums = ops.zeros([count, n, 7], { dtype: 'float64' });
    for (const maximum of [0, 2]) sums.select(-1, maximum).fill_(-Infinity);
    for (const label of [5, 6]) sums.select(-1, label).fill_(Number.NaN);
    for (let from = 0; from < V; from += range) {
      const columns = Math.min(range, V - from);
      compare(sums, clean.narrow(1, from, columns), lanes.narrow(2, from, columns), labels, from);
    }
    return sums;
  }

  const dtypes: DType[] = ['float32', 'bfloat16', 'float16'];
  it.each(
    dtypes.flatMap((dtype) =>
      [
        [1, 1, 1],
        [3, 5, 7],
        [2, 4, 2049],
        [2, 3, 40_000],
      ].map((shape) => [dtype, shape] as const),
    ),
  )('gives the sums of the kernel for CPUs in %s, %j', (dtype, [count, n, V]) => {
    manualSeed(V!);
    const clean = ops.randn([n!, V!]).mul(4).to({ dtype });
    const lanes = clean.add(ops.randn([count!, n!, V!]).mul(0.3).to({ dtype }));
    const labels = ops.randint(V!, [n!]);
    for (const range of [V!, 1000]) {
      const wanted = sumsBy(kernels.addLogits, { clean, lanes, labels }, range);
      const found = sumsBy(byParts, { clean, lanes, labels }, range);
      // Maxima and the labels' logits are the same numbers; sums of up to 40,000 exponentials are
      // float32 in parts.
      for (const exact of [0, 2, 5, 6])
        expect(found.select(-1, exact).equal(wanted.select(-1, exact))).toBe(true);
      const off = found.sub(wanted).div(wanted.abs().clamp_min(1)).abs().max().item();
      expect(off).toBeLessThan(1e-5);
    }
  });

  it('keeps NaN and infinite logits', () => {
    const clean = tensor([
      [1, Number.NaN, 2],
      [1, Infinity, 2],
      [0, 0, 0],
    ]);
    const labels = tensor([0n, 0n, 0n]);
    const sums = sumsBy(byParts, { clean, lanes: clean.unsqueeze(0), labels }, 3).squeeze(0);
    const [first, second, third] = sums.select(-1, 1).toArray() as number[];
    expect(first).toBeNaN();
    expect(second).toBeNaN();
    expect(third).toBe(3);
  });

  it('reads every float16', () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const all = fromTypedArray(bits).view('float16').reshape([-1, 1]); // one logit in each row
    const finite = all.float().isfinite().reshape([-1]);
    const labels = ops.zeros([65_536], { dtype: 'int64' });
    const sums = sumsBy(byParts, { clean: all, lanes: all.unsqueeze(0), labels }, 1).squeeze(0);
    const found = sums.select(-1, 5).index([finite]);
    expect(found.equal(all.double().reshape([-1]).index([finite]))).toBe(true);
  });
});
