import { describe, expect, it } from 'vitest';
import { Accumulator } from '#src/metrics/accumulator.js';
import { fewestSequences, resample } from '#src/evaluation/result/bootstrap.js';
import { percentileInterval } from '#src/evaluation/result/percentile-interval.js';
import { histogramOf } from '#src/metrics/density-histogram.js';
import { explainedVariance } from '#src/metrics/explained-variance.js';
import type { Sums } from '#src/metrics/metric.js';
import { recovered } from '#src/metrics/recovered.js';
import { metrics } from '#src/metrics/table.js';
import { withTable } from '../docs/generated-section.js';
import { metricsDocument } from './metrics-document.js';

const sums = (columns: Record<string, number>, rest: Partial<Sums> = {}): Sums => ({
  sequences: 1,
  positions: 1,
  nextPositions: 1,
  ceClean: 0,
  slots: [0],
  width: 4,
  at: (_, { name }) => columns[name] ?? null,
  vector: () => null,
  ...rest,
});

describe('explained variance', () => {
  it('is 0 for a predictor that returns the mean, 1 for a perfect one', () => {
    // 500 points with means far from zero: published tools that mix up E[x²] and E[x] give 0.94
    // here.
    const d = 8;
    let word = 7;
    const random = (): number => (word = (Math.imul(word, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    const x = Array.from({ length: 500 }, () =>
      Array.from({ length: d }, (_, i) => 4 + i + random()),
    );
    const total = Float64Array.from({ length: d }, (_, i) =>
      x.reduce((sum, row) => sum + row[i]!, 0),
    );
    const mean = total.map((value) => value / x.length);
    const squaredInput = x.flat().reduce((sum, value) => sum + value * value, 0);
    const squaredError = x.reduce(
      (sum, row) => sum + row.reduce((inner, value, i) => inner + (value - mean[i]!) ** 2, 0),
      0,
    );
    const of = (error: number): number | null =>
      explainedVariance.fields[0].value(
        sums({ squaredError: error, squaredInput }, { positions: 500, vector: () => total }),
      );
    expect(of(squaredError)).toBeCloseTo(0, 9);
    expect(of(0)).toBe(1);
  });

  it('is none where the inputs do not vary, whatever rounding leaves of their variance', () => {
    const total = Float64Array.of(0.3, -1.7, 0.4, 1);
    // as summed in float32
    const squaredInput = total.reduce((sum, value) => sum + value * value, 0) * (1 + 6e-8);
    expect(
      explainedVariance.fields[0].value(
        sums({ squaredError: 0.5, squaredInput }, { vector: () => total }),
      ),
    ).toBeNull();
  });
});

describe('recovered', () => {
  it('is the mean of the ratios over slots, not the ratio of the means', () => {
    const values: Record<number, Record<string, number>> = {
      0: { ceSpliced: 2, ceZero: 5 },
      1: { ceSpliced: 3, ceZero: 3 },
    };
    const two = sums(
      {},
      { ceClean: 1, slots: [0, 1], at: (slot, { name }) => values[slot]![name] ?? null },
    );
    expect(recovered.fields[0].value(two)).toBeCloseTo((0.75 + 0) / 2, 6);
  });
});

describe('density histogram', () => {
  it('agrees with a count in plain TypeScript', () => {
    const tokens = 2_000_000;
    const firing = Float64Array.of(0, 1, 2, 3, 20, 2_000_000, 1_999_999, 200_000, 0);
    const { log10, count, dead } = histogramOf(firing, tokens);
    expect([log10.length, log10[0], log10[40]]).toEqual([41, -6, 0]);
    expect(dead).toBe(2);
    const expected = new Array<number>(40).fill(0);
    for (const active of firing) {
      if (active === 0) continue;
      const rate = Math.log10(active / tokens);
      let bin = 0;
      while (bin < 39 && rate >= log10[bin + 1]!) bin += 1;
      expected[bin]! += 1;
    }
    expect(count).toEqual(expected);
    expect(count[0]).toBe(2); // 5e-7, below the lowest edge, and 1e-6, on it
  });
});

describe('accumulators', () => {
  const filled = (from: number, to: number): Accumulator => {
    const accumulator = new Accumulator();
    for (let i = from; i < to; i++) {
      accumulator.append('a', Float64Array.of(i, i / 3));
      accumulator.add('v', Float64Array.of(1, i));
      accumulator.endBatch(2);
    }
    return accumulator;
  };

  it('merge to what one gives, and survive being stored', () => {
    const whole = filled(0, 100);
    const merged = filled(0, 37);
    merged.merge(filled(37, 100));
    const restored = Accumulator.restore(structuredClone(merged.state()));
    for (const one of [merged, restored]) {
      expect(one.column('a')).toEqual(whole.column('a'));
      expect(one.vector('v')).toEqual(whole.vector('v'));
      expect(one.batchSizes).toEqual(whole.batchSizes);
      expect(one.sequences).toBe(200);
    }
  });

  it('are not changed through what they gave', () => {
    const accumulator = filled(0, 2);
    accumulator.vector('v')![0] = 99;
    expect(accumulator.vector('v')).toEqual(Float64Array.of(2, 1));
  });
});

describe('bootstrap', () => {
  it('is seeded', () => {
    const column = Float64Array.from({ length: fewestSequences }, (_, i) => i);
    expect(resample([column], 1).sums).toEqual(resample([column], 1).sums);
    expect(resample([column], 1).sums).not.toEqual(resample([column], 2).sums);
  });

  it('uses the same resamples for all columns', () => {
    const a = Float64Array.from({ length: 50 }, (_, i) => Math.sin(i));
    const b = a.map((value) => 2 * value + 1);
    const { sums: drawn, rows } = resample([a, b], 42);
    for (let row = 0; row < rows; row++)
      expect(drawn[2 * row + 1]).toBeCloseTo(2 * drawn[2 * row]! + 50, 8);
  });

  it('covers as the normal approximation says', () => {
    const n = 400;
    // uniform on [0, 1)
    const column = Float64Array.from({ length: n }, (_, i) => ((i * 7919) % n) / n);
    const { sums: drawn } = resample([column], 42);
    const [low, high] = percentileInterval(drawn.map((sum) => sum / n));
    const width = (2 * 1.96 * Math.sqrt(1 / 12)) / Math.sqrt(n);
    expect(high - low).toBeGreaterThan(0.95 * width);
    expect(high - low).toBeLessThan(1.05 * width);
  });

  it('interpolates percentiles', () => {
    expect(percentileInterval(Float64Array.from({ length: 41 }, (_, i) => 40 - i))).toEqual([
      1, 39,
    ]);
  });

  it('finds the percentiles that sorting finds, in any order and with equal values', () => {
    for (const length of [1, 2, 3, 39, 40, 1000, 1001])
      for (const value of [
        (i: number) => Math.sin(i * i),
        (i: number) => i,
        (i: number) => 1 - i,
        (i: number) => i % 3,
        () => 7,
        (i: number) => (i % 7 === 0 ? -Infinity : i % 5),
      ]) {
        const values = Float64Array.from({ length }, (_, i) => value(i));
        const sorted = values.slice().sort();
        const expected = [0.025, 0.975].map((q) => {
          const at = q * (length - 1);
          const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
          return low === high ? low : low + (high - low) * (at - Math.floor(at));
        });
        const found = percentileInterval(values);
        if (expected.every(Number.isFinite)) expect(found).toEqual(expected);
        expect(values).toEqual(Float64Array.from({ length }, (_, i) => value(i)));
      }
  });

  it('passes NaN on', () => {
    expect(percentileInterval(Float64Array.of(NaN, 1, NaN, NaN))[1]).toBeNaN();
  });
});

describe('docs/metrics.md', () => {
  it('lists the table', async () => {
    const { path, text } = withTable('metrics.md', metricsDocument(metrics));
    await expect(text).toMatchFileSnapshot(path);
  });
});
