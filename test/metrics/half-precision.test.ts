/**
 * Sums of tokens for SAEs in half precision, against the same formulas in float64 on the same
 * (rounded) numbers. Elements and their squares are float32, sums over d float64: a token's sum is
 * off by at most 2⁻²² of it, a cosine by 2⁻²¹.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Collector } from '#src/evaluation/engine/collector.js';
import { measure } from '#src/evaluation/engine/measure.js';
import { Positions } from '#src/evaluation/engine/positions.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import { slotKey, vectorKey } from '#src/metrics/keys.js';
import { inputNormalization } from '#src/sae/normalization.js';
import type { Normalization } from '#src/sae/description.js';
import { route } from '#src/sae/kinds/routesae.js';
import { manualSeed, ops, scope, setInferenceMode, type DType } from '#src/torch/index.js';

beforeAll(() => setInferenceMode(true));

const [N, T] = [6, 6];
const target = { owner: '0.0', protocol: 'strict', slot: 0 } as const;
const dtypes = ['float16', 'bfloat16', 'float32'] as const;
/** Magnitudes of the elements that each dtype holds with room for a normal distribution. */
const magnitudes: Record<(typeof dtypes)[number], number[]> = {
  float16: [1e-3, 1, 300, 8000],
  bfloat16: [1e-12, 1e-3, 1, 8000, 1e12],
  float32: [1e-12, 1e-3, 1, 8000, 1e12],
};
const widths = [16, 256, 512, 4096];

interface Rows {
  x: number[][];
  y: number[][];
}
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe.each(dtypes)('%s', (dtype) => {
  it.each(magnitudes[dtype].flatMap((size) => widths.map((d) => [size, d] as const)))(
    'elements near %d, d = %d',
    (size, d) => {
      manualSeed(d);
      const samples = [{ ids: Int32Array.from({ length: T }, (_, t) => t), length: T }];
      const sums = new Accumulator();
      const rows = scope((): Rows => {
        const make = (): ReturnType<typeof ops.randn> => ops.randn([N, d]).mul(size);
        const first = make();
        const x = first.to({ dtype });
        const reconstruction = first.mul(0.9).add(make().mul(0.2)).to({ dtype });
        const positions = new Positions({ samples, T, device: 'cpu' });
        const into = new Collector({ positions });
        measure({ x, reconstruction, latents: null, targets: [target] }, into);
        into.flush(sums);
        positions.dispose();
        return {
          x: x.to({ dtype: 'float64' }).toArray() as number[][],
          y: reconstruction.to({ dtype: 'float64' }).toArray() as number[][],
        };
      });
      const near = (name: string, wanted: number, relative: number): void => {
        const found = sums.column(slotKey(target, name))![0]!;
        expect(Math.abs(found - wanted), name).toBeLessThanOrEqual(relative * Math.abs(wanted));
      };
      const total = (of: (x: number[], y: number[]) => number): number =>
        rows.x.reduce((sum, x, n) => sum + of(x, rows.y[n]!), 0);
      const error = (x: number[], y: number[]): number =>
        x.reduce((sum, value, i) => sum + (y[i]! - value) ** 2, 0);
      const u = 2 ** -22;
      near(
        'squaredInput',
        total((x) => dot(x, x)),
        u,
      );
      near(
        'squaredReconstruction',
        total((_, y) => dot(y, y)),
        u,
      );
      near('squaredError', total(error), 2 * u);
      near(
        'nmse',
        total((x, y) => error(x, y) / dot(x, x)),
        3 * u,
      );
      near(
        'cosine',
        total((x, y) => dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y))),
        2 * u,
      );
      const inputSum = sums.vector(vectorKey('0.0', 'strict', 'inputSum'))!;
      rows.x[0]!.forEach((_, i) => {
        const wanted = rows.x.reduce((sum, row) => sum + row[i]!, 0);
        expect(Math.abs(inputSum[i]! - wanted)).toBeLessThanOrEqual(u * size * N);
      });
    },
  );
});

describe('means and norms of tokens', () => {
  const kinds: [Normalization, boolean][] = [
    [{ kind: 'pre' }, false],
    [{ kind: 'layer-norm', epsilon: 1e-5 }, false],
    [{ kind: 'token-norm' }, false],
    [{ kind: 'scale', factor: 0.01 }, true],
    [{ kind: 'layer-norm', epsilon: 1e-5 }, true],
  ];
  const half: readonly DType[] = ['float16', 'bfloat16'];

  it.each(kinds.flatMap((kind) => half.map((dtype) => [...kind, dtype] as const)))(
    '%j (centered: %s) of %s beyond the range of its norm',
    (normalization, centered, dtype) => {
      manualSeed(3);
      // ‖h‖ is near 8000 · √4096 = 512,000; float16 ends at 65,504.
      const differences = scope(() => {
        const h = ops.randn([4, 4096]).mul(8000).to({ dtype });
        const wide = h.to({ dtype: 'float64' });
        const of = (dtypeOf: DType, values: typeof h) =>
          inputNormalization(normalization, { centered }).apply(values, dtypeOf);
        const found = of(dtype, h);
        const wanted = of('float64', wide);
        const u = dtype === 'float16' ? 2 ** -11 : 2 ** -8;
        const far = (a: typeof h, b: typeof h, relative: number, absolute: number): boolean =>
          Boolean(
            a
              .to({ dtype: 'float64' })
              .sub(b)
              .abs()
              .gt(b.abs().mul(relative).add(absolute))
              .any()
              .item(),
          );
        return {
          x: far(found.x, wanted.x, 1.01 * u, 2 ** -20),
          // Rounded twice: x − mean/std, and the sum. The mean is below 500.
          restored: far(found.restore(found.x), wide, 2.2 * u, 500 * u),
        };
      });
      expect(differences.x).toBe(false);
      expect(differences.restored).toBe(false);
    },
  );

  it.each(half)('a router of %s decides as in float64 on the same numbers', (dtype) => {
    manualSeed(5);
    const { same, p } = scope(() => {
      const x = ops.randn([512, 9, 128]).mul(8).to({ dtype });
      const router = ops.randn([9, 128]).mul(0.05).to({ dtype });
      const found = route(x, router, 'sum');
      const scores = ops.linear(
        x.to({ dtype: 'float64' }).sum([1]),
        router.to({ dtype: 'float64' }),
        null,
      );
      const wanted = scores.softmax(-1);
      return {
        same: Number(found.layer.eq(wanted.argmax(-1)).to({ dtype: 'int64' }).sum().item()),
        p: Number(found.p.to({ dtype: 'float64' }).sub(wanted).abs().max().item()),
      };
    });
    // A tie within float32's rounding may fall either way: none in 512 here.
    expect(same).toBe(512);
    expect(p).toBeLessThanOrEqual(1e-4);
  });
});
