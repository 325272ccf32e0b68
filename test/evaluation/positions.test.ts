/**
 * `exclude` under strict, against transformers' own model with hooks
 * (test/golden/positions/make.py). Both models compute in float32: thresholds and routes decide the
 * same for these texts, and the rest differs by rounding, below 1e-4 of each value.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationResult, Exclude, SaeKind, SaeSpec } from '#src/schema/index.js';
import { golden, shipped } from '../golden/load.js';

interface Case {
  exclude: Exclude;
  kind: SaeKind;
  routing: 'hard' | 'soft';
  strict: Record<string, number | number[]>;
}
const { seqLen, maxSamples, k, cases } = JSON.parse(
  readFileSync(golden('positions/expected.json'), 'utf8'),
) as { seqLen: number; maxSamples: number; k: number; cases: Case[] };
const tolerance = 1e-4;

const rules = [...new Set(cases.map(({ exclude }) => JSON.stringify(exclude)))];
const dataset = { path: shipped('eval'), seqLen, maxSamples };

function specOf({ kind, routing }: Case): SaeSpec {
  return {
    kind,
    checkpoint: shipped(`${kind}_tiny.pt`),
    label: `${kind} ${routing}`,
    ...(['TopK', 'Gated', 'JumpReLU'].includes(kind) ? { layer: 16 } : {}),
    ...(['TopK', 'MLSAE', 'RouteSAE'].includes(kind) ? { k } : {}),
    ...(kind === 'RouteSAE' ? { routing } : {}),
  };
}

const runWith = (
  own: readonly Case[],
  change: Partial<Parameters<typeof run>[0]> = {},
): Promise<EvaluationResult> =>
  run({
    model: shipped('tiny-llama'),
    dataset,
    saes: own.map(specOf),
    exclude: own[0]!.exclude,
    protocol: ['reference', 'strict'],
    batchSize: 4,
    device: 'cpu',
    ...change,
  });

describe.each(rules)('exclude %s', (rule) => {
  const own = cases.filter(({ exclude }) => JSON.stringify(exclude) === rule);

  it('gives the numbers of transformers with hooks', async () => {
    const { results } = await runWith(own);
    own.forEach(({ strict: expected, ...each }, index) => {
      const { strict, positions } = results[index]!;
      expect(positions).toMatchObject({ counted: expected['counted'] });
      const { counted: _, ...values } = expected;
      for (const [name, wanted] of Object.entries(values)) {
        const found = (strict as unknown as Record<string, unknown>)[name];
        const numbers = Array.isArray(found)
          ? (found as number[])
          : [(found as { mean: number }).mean];
        [wanted].flat().forEach((value, i) => {
          const difference = Math.abs(numbers[i]! - value);
          expect(difference, `${each.kind} ${each.routing} ${name}`).toBeLessThanOrEqual(
            tolerance * Math.max(Math.abs(value), 1),
          );
        });
      }
    });
  });
});

describe('positions of a run', () => {
  const [topk] = cases.filter(({ exclude, kind }) => exclude === 'specials' && kind === 'TopK');
  const labels = { a: 'all', b: 'without specials' };
  const twice = (): SaeSpec[] => [
    { ...specOf(topk!), label: labels.a, exclude: 'none' },
    { ...specOf(topk!), label: labels.b, exclude: 'specials' },
  ];

  it('differ by SAE: numbers of their own, the same reference, no compared pair', async () => {
    const both = await runWith([topk!], { saes: twice(), exclude: 'none' });
    const [all, without] = both.results;
    const alone = await runWith([topk!]);
    expect(without!.strict).toEqual({
      ...alone.results[0]!.strict,
      // The bits of a lane depend on the lanes beside it.
      KLDivPerToken: expect.anything(),
      KLDivPerSequence: expect.anything(),
      DeltaCE: expect.anything(),
      Recovered: expect.anything(),
    });
    expect(without!.strict!.KLDivPerToken!.mean).toBeCloseTo(
      alone.results[0]!.strict!.KLDivPerToken!.mean,
      5,
    );
    expect(all!.strict!.NormMSE!.mean).not.toBeCloseTo(without!.strict!.NormMSE!.mean, 5);
    expect(all!.reference!.NormMSE).toBe(without!.reference!.NormMSE);
    expect(all!.reference!.KLDiv).toBeCloseTo(without!.reference!.KLDiv!, 4);
    expect(both.comparisons).toEqual([]);
    expect(both.findings.map(({ code }) => code)).toContain('positions-differ');
    expect(all!.specials!.tokens).toBeGreaterThan(0);
    expect(without!.specials).toBeNull();
  });

  it('are all excluded: nothing is measured, and nothing fails', async () => {
    const { results } = await runWith([topk!], { exclude: { positions: [5, 5] } });
    expect(results[0]!.positions!.counted).toBe(0);
    expect(results[0]!.strict!.NormMSE).toBeNull();
    expect(results[0]!.error).toBeNull();
  });

  it.each([
    ['exclude', { exclude: 'special' }],
    ['exclude', { exclude: { positions: [1] } }],
    ['exclude', { exclude: { positions: [1, 2, 0] } }],
    ['exclude', { exclude: [-1] }],
    ['exclude', { exclude: [7, 4096] }], // the vocabulary is 4096
    ['saes[0].exclude', { saes: [{ ...specOf(topk!), exclude: [999_999] }] }],
  ])('are refused by name: %s %j', async (field, change) => {
    await expect(runWith([topk!], change as object)).rejects.toMatchObject({
      code: 'request-invalid',
      fields: [{ path: expect.stringContaining(field) }],
    });
  });
});
