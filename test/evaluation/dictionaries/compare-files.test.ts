/**
 * Decoders compared with each other, against scipy's assignment on cosines in float64
 * (test/golden/dictionaries/make.py). Cosines are computed in float32: 1e-5 of 1.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SaeEvalError } from '#src/errors.js';
import { compareDictionaries } from '#src/evaluation/dictionaries/compare-files.js';
import { match } from '#src/evaluation/dictionaries/matching.js';
import { innerProducts, nearest } from '#src/evaluation/dictionaries/similarities.js';
import { meanLargest } from '#src/evaluation/dictionaries/matching.js';
import type { DictionarySimilarity } from '#src/schema/index.js';
import { manualSeed, memory, ops, scope, type Tensor } from '#src/torch/index.js';
import { golden, shipped } from '../../golden/load.js';

type Expected = Pick<DictionarySimilarity, 'latents' | 'pwMcc' | 'shared' | 'mmcs' | 'mmcsTurned'>;
const { decoders } = JSON.parse(readFileSync(golden('dictionaries/expected.json'), 'utf8')) as {
  decoders: Record<string, Record<'signed' | 'absolute', Expected>>;
};

const file = (name: string): { checkpoint: string; label: string } => ({
  checkpoint: golden(`dictionaries/${name}.safetensors`),
  label: name,
});
const names = ['base', 'permuted', 'flipped', 'noisy', 'wider', 'holes'];

function expectNear(found: DictionarySimilarity, wanted: Expected, tolerance: number): void {
  expect(found.latents).toEqual(wanted.latents);
  for (const field of ['pwMcc', 'shared', 'mmcs', 'mmcsTurned'] as const)
    expect(Math.abs(found[field]! - wanted[field]!), field).toBeLessThan(tolerance);
}

describe('decoders of files', () => {
  it.each(['signed', 'absolute'] as const)('have the %s similarities of scipy', async (sign) => {
    const before = memory().handles;
    const pairs = await compareDictionaries(names.map(file), { absolute: sign === 'absolute' });
    expect(memory().handles).toBe(before);
    expect(pairs).toHaveLength(15);
    for (const { a, b, decoders: found, similarity } of pairs) {
      expect(similarity).toBe(sign);
      expect(found).toMatchObject({ method: 'exact', gap: 0, candidates: null });
      expectNear(found, decoders[`${a} ${b}`]![sign], 1e-5);
    }
    const holes = pairs.find(({ a, b }) => a === 'base' && b === 'holes')!;
    expect(holes.decoders.leftOut).toEqual([0, 3]);
  });

  it('are the same if latents stand in another order, at other lengths', async () => {
    const [pair] = await compareDictionaries([file('base'), file('permuted')]);
    for (const field of ['pwMcc', 'mmcs', 'mmcsTurned', 'shared'] as const)
      expect(pair!.decoders[field]).toBeCloseTo(1, 6);
    const [signed] = await compareDictionaries([file('base'), file('flipped')]);
    expect(signed!.decoders.pwMcc).toBeLessThan(0.9);
    const flipped = { absolute: true };
    const [turned] = await compareDictionaries([file('base'), file('flipped')], flipped);
    expect(turned!.decoders.pwMcc).toBeCloseTo(1, 6);
  });

  it('are matched by an auction within its bound if they are too many', async () => {
    const auctioned = await compareDictionaries(names.map(file), { exactUpTo: 100, candidates: 3 });
    for (const { a, b, decoders: found } of auctioned) {
      expect(found.method).toBe('auction');
      expect(found.candidates).toBe(3);
      const best = decoders[`${a} ${b}`]!.signed.pwMcc!;
      expect(found.pwMcc).toBeLessThan(best + 1e-5);
      expect(found.pwMcc! + found.gap).toBeGreaterThan(best - 1e-5);
    }
  });

  it('of kinds that are not told, and without k, are compared', async () => {
    const files = ['TopK', 'Vanilla', 'Gated', 'RouteSAE'].map((kind) => ({
      checkpoint: shipped(`${kind}_tiny.pt`),
    }));
    expect(await compareDictionaries(files)).toHaveLength(6);
  });

  it('of SAEs over several places, of two widths, or that are not there are refused', async () => {
    const codes = async (...checkpoints: string[]): Promise<string> => {
      const files = checkpoints.map((checkpoint) => ({ checkpoint }));
      const thrown: unknown = await compareDictionaries(files).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(SaeEvalError);
      return (thrown as SaeEvalError).code;
    };
    const topK = shipped('TopK_tiny.pt');
    expect(await codes(topK, shipped('Crosscoder_tiny.pt'))).toBe('sae-kind');
    expect(await codes(topK, golden('dictionaries/base.safetensors'))).toBe('sae-width');
    expect(await codes(topK, shipped('none.pt'))).toBe('file-not-found');
  });
});

/** Unit vectors in random directions: [n, d]. */
const directions = (n: number, d: number): Tensor =>
  scope(() => {
    const rows = ops.randn([n, d]);
    return rows.div(ops.linalg_vector_norm(rows, 2, [-1], true));
  });

/** Mean of the largest of `count` cosines of random directions in d dimensions. */
function expectedLargest(count: number, d: number): number {
  // The density of a cosine is proportional to (1 − x²)^((d − 3) / 2); E = 1 − ∫ F(x)^count dx.
  const steps = 20_000;
  const width = 2 / steps;
  const density = Array.from({ length: steps }, (_, i) =>
    Math.pow(1 - (-1 + (i + 0.5) * width) ** 2, (d - 3) / 2),
  );
  const all = density.reduce((sum, value) => sum + value, 0);
  let below = 0;
  let integral = 0;
  for (const value of density) {
    below += value / all;
    integral += Math.min(1, below) ** count * width;
  }
  return 1 - integral;
}

describe('random dictionaries', () => {
  it.each([
    [400, 300, 24],
    [200, 500, 64],
  ])('of %i and %i latents in %i dimensions have the MMCS of theory', (n, m, d) => {
    manualSeed(3);
    const found = scope(() =>
      meanLargest(nearest(innerProducts(directions(n, d), directions(m, d)), 1)),
    );
    // The mean of n maxima, whose deviation is below 0.08 each, within four deviations.
    expect(Math.abs(found - expectedLargest(m, d))).toBeLessThan((4 * 0.08) / Math.sqrt(n));
  });

  it('are matched by an auction nearly as well as exactly, and as its bound says', () => {
    manualSeed(4);
    scope(() => {
      const cosines = innerProducts(directions(300, 16), directions(320, 16));
      const best = match(cosines);
      const near = match(cosines, { exactUpTo: 1000, candidates: 8 });
      const mean = (values: Float64Array): number =>
        values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(best.method).toBe('exact');
      expect(near.method).toBe('auction');
      expect(new Set(near.partnerOf).size).toBe(300);
      expect(near.gap).toBeLessThan(1e-3);
      // Rounding of float32 beside the bound.
      expect(mean(near.values) + near.gap).toBeGreaterThan(mean(best.values) - 1e-6);
      expect(mean(near.values)).toBeLessThan(mean(best.values) + 1e-6);
      return null;
    });
  });
});
