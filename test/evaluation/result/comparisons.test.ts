/** Which pairs of SAEs a run compares: all of a few, of many those with the first and the best. */
import { describe, expect, it } from 'vitest';
import { Assembly } from '#src/evaluation/result/assemble.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import { cleanKey, slotKey } from '#src/metrics/keys.js';

const sequences = 24;
const place = [{ layer: 1, splicedAt: 1 }];

/** Pairs of that many SAEs; number `best` has the smallest NormMSE and the largest cosine. */
function pairs(count: number, best: number): Map<string, string[]> {
  const accumulator = new Accumulator();
  const column = (value: (sequence: number) => number): Float64Array =>
    Float64Array.from({ length: sequences }, (_, sequence) => value(sequence));
  accumulator.append(
    cleanKey('strict', 'positions'),
    column(() => 10),
  );
  const subjects = Array.from({ length: count }, (_, index) => {
    const owner = `${index}.0`;
    const target = { owner, protocol: 'strict', slot: 0 } as const;
    const worse = Math.abs(index - best);
    accumulator.append(
      slotKey(target, 'nmse'),
      column((sequence) => 1 + worse + Math.sin(sequence * (index + 1))),
    );
    accumulator.append(
      slotKey(target, 'cosine'),
      column((sequence) => 9 - worse / count + 0.01 * Math.cos(sequence * (index + 1))),
    );
    return { owner, label: `SAE ${index}`, width: 4, slots: { reference: [], strict: place } };
  });
  accumulator.endBatch(sequences);
  const comparisons = new Assembly(accumulator, ['NormMSE', 'CosineSimilarity'], {
    seed: 42,
    intervals: true,
    subjects,
  }).comparisons(subjects);
  const found = new Map<string, string[]>();
  for (const { metric, a, b, ci95 } of comparisons) {
    expect(ci95).not.toBeNull();
    found.set(metric, [...(found.get(metric) ?? []), `${a} − ${b}`]);
  }
  return found;
}

describe('comparisons', () => {
  it('are of every pair of up to 16 SAEs', () => {
    for (const compared of pairs(16, 5).values()) expect(compared).toHaveLength((16 * 15) / 2);
  });

  it('are of those with the first and the best of more', () => {
    const found = pairs(17, 5);
    expect([...found.keys()]).toContain('NormMSE');
    for (const [metric, compared] of found) {
      if (metric === 'NormRatio') continue;
      expect(new Set(compared).size).toBe(compared.length);
      expect(compared, metric).toHaveLength(16 + 15);
      for (const pair of compared) expect(pair, metric).toMatch(/SAE 0$|SAE 5 − |− SAE 5$/);
      expect(compared).toContain('SAE 16 − SAE 5');
      expect(compared).toContain('SAE 5 − SAE 4');
      expect(compared).not.toContain('SAE 7 − SAE 6');
    }
  });
});
