/** Values that are marked as the best, and those that must not be. */
import { describe, expect, it } from 'vitest';
import { findings } from '#src/findings/index.js';
import { scalarFieldsOf } from '#src/metrics/table.js';
import { bestOf } from '#src/report/best.js';
import type { Comparison, SaeResult, StrictValues } from '#src/schema/index.js';
import { evaluationResult, klPairs, saeResult } from './fixture.js';

const kl = scalarFieldsOf('strict').find(({ field }) => field === 'KLDivPerToken')!;
const error = scalarFieldsOf('strict').find(({ field }) => field === 'NormMSE')!;
const referenceKl = scalarFieldsOf('reference').find(({ field }) => field === 'KLDiv')!;

const mean = (value: number, spread = 0.02): { mean: number; ci95: [number, number] } => ({
  mean: value,
  ci95: [value * (1 - spread), value * (1 + spread)],
});
const named = (label: string, strict: Partial<StrictValues>, change = {}): SaeResult => {
  const sae = saeResult('TopK', { label, ...change });
  return { ...sae, strict: { ...sae.strict!, ...strict } };
};

/** Labels that are marked. */
function marked(
  results: readonly SaeResult[],
  field: Parameters<typeof bestOf>[1],
  comparisons: readonly Comparison[] = klPairs(results),
): string[] {
  const result = evaluationResult({ results: [...results], comparisons: [...comparisons] });
  const run = { ...result, findings: findings(result) };
  return [
    ...bestOf(
      results.map((sae) => ({ sae, run })),
      field,
    ),
  ].map((i) => results[i]!.label);
}

const a = named('a', { KLDivPerToken: mean(0.2) });
const b = named('b', { KLDivPerToken: mean(0.201) });
const c = named('c', { KLDivPerToken: mean(0.3) });

describe('the best', () => {
  it('is shared with those that the paired interval cannot tell from it', () => {
    expect(marked([a, b, c], kl)).toEqual(['a', 'b']);
    expect(marked([a, b, c], kl, klPairs([a, b, c], 0.0001))).toEqual(['a']);
  });

  it('is judged by the intervals of the SAEs if the pair was not compared', () => {
    expect(marked([a, b, c], kl, [])).toEqual(['a', 'b']);
  });

  it('is the smallest or the largest of plain numbers', () => {
    expect(
      marked([saeResult('TopK'), saeResult('RouteSAE'), saeResult('MLSAE')], referenceKl),
    ).toEqual(['MLSAE']);
  });

  it('is never a near-identity, nor the baseline, nor behind the baseline', () => {
    const random = saeResult('RandomK');
    expect(marked([a, saeResult('Vanilla'), c, random], kl)).toEqual(['a']);
    const behind = named('behind', { KLDivPerToken: mean(0.9) });
    expect(marked([behind, random], kl)).toEqual([]);
  });

  it('is among SAEs that count the same positions', () => {
    const positions = {
      exclude: ['specials' as const],
      from: 'request' as const,
      counted: 9,
      real: 10,
    };
    expect(marked([a, { ...c, positions }], kl, [])).toEqual([]);
  });

  it('is among errors of one input space, and KL across spaces', () => {
    const scaled = { ...c, normalization: 'scale' };
    const plain = { ...a, normalization: 'none' };
    expect(marked([plain, scaled], error, [])).toEqual([]);
    expect(marked([plain, scaled], kl)).toEqual(['a']);
  });

  it('is not said without another value, nor of a failed SAE', () => {
    expect(marked([a], kl)).toEqual([]);
    expect(
      marked([a, { ...c, error: { code: 'io-failed', message: 'gone' }, strict: null }], kl),
    ).toEqual([]);
  });
});
