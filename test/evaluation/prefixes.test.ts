/**
 * Sweeps over prefixes, under both protocols, against transformers' own model with hooks
 * (test/golden/prefixes/make.py). Both models compute in float32: thresholds and routes decide the
 * same for these texts, and the rest differs by rounding: below 1e-5 of each value, 5e-5 for kinds
 * over several layers, whose errors pass through more blocks.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SaeEvalError } from '#src/errors.js';
import { run } from '#src/evaluation/run/run.js';
import { validateRequest } from '#src/evaluation/request/resolve.js';
import type { EvaluationRequest, SaeResult, SaeSpec } from '#src/schema/index.js';
import { golden, shipped } from '../golden/load.js';

interface ExpectedPoint {
  /** Null for the whole SAE. */
  prefix: number | null;
  reference: Record<string, number>;
  strict: Record<string, unknown>;
}
const { seqLen, maxSamples, batchSize, k, cases } = JSON.parse(
  readFileSync(golden('prefixes/expected.json'), 'utf8'),
) as {
  seqLen: number;
  maxSamples: number;
  batchSize: number;
  k: number;
  cases: Record<string, ExpectedPoint[]>;
};

const request = (saes: SaeSpec[], change: Partial<EvaluationRequest>): EvaluationRequest => ({
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen, maxSamples },
  saes,
  batchSize,
  device: 'cpu',
  ...change,
});
const family = (label: string, more: Partial<SaeSpec> = {}): SaeSpec => {
  const kind = label.split(' ')[0] as NonNullable<SaeSpec['kind']>;
  return { kind, label, checkpoint: shipped(`${kind}_tiny.pt`), ...more };
};
const nested = (label: string): SaeSpec => ({ label, checkpoint: golden(`prefixes/${label}`) });

/** Compares the SAE and the points of its sweep with their expected values. */
function expectValues({ label, sweep, ...whole }: SaeResult, tolerance: number): void {
  const [own, ...all] = cases[label]!;
  const points = sweep!.map(({ prefix }) => all.find((one) => one.prefix === prefix)!);
  [own!, ...points].forEach((expected, index) => {
    const found = index === 0 ? whole : sweep![index - 1]!;
    for (const protocol of ['reference', 'strict'] as const)
      for (const [name, wanted] of Object.entries(expected[protocol])) {
        const value = (found[protocol] as unknown as Record<string, unknown>)[name];
        const at = `${label} ${expected.prefix} ${protocol} ${name}`;
        if (typeof wanted !== 'number') {
          expect(value, at).toMatchObject(wanted as object);
          continue;
        }
        const number = typeof value === 'number' ? value : (value as { mean: number }).mean;
        const bound = tolerance * Math.max(Math.abs(wanted), 0.1);
        expect(Math.abs(number - wanted), at).toBeLessThanOrEqual(bound);
      }
  });
}

describe('a sweep over prefixes', () => {
  it('takes the groups that files tell, with a note on an SAE without groups', async () => {
    const saes = [nested('matryoshka'), nested('widths'), family('TopK', { layer: 16, k })];
    const { results, config } = await run(request(saes, { prefixes: 'groups' }));
    expect(config.prefixes).toBe('groups');
    expect(results.map(({ groups }) => groups)).toEqual([[8, 20, 48], [16, 64, 128], undefined]);
    for (const result of results.slice(0, 2)) {
      expect(result.sweep!.map(({ prefix }) => prefix)).toEqual(result.groups);
      expectValues(result, 1e-5);
    }
    expect(results[2]!.sweep).toBeNull();
    expect(results[2]!.notes).toContainEqual({
      metric: 'prefixes',
      en: expect.stringMatching(/tells no nested groups/) as string,
      zh: expect.any(String) as string,
    });
  });

  it('restricts kinds on one layer to the first latents of a list', async () => {
    const saes = [
      family('Vanilla', { layer: 3 }),
      family('Gated', { layer: 16 }),
      family('JumpReLU', { layer: 8 }),
    ];
    const { results } = await run(request(saes, { prefixes: [100, 700] }));
    for (const result of results) expectValues(result, 1e-5);
  });

  it('restricts kinds over several layers', async () => {
    const saes = [
      family('MLSAE', { k }),
      family('Crosscoder'),
      family('RouteSAE hard', { k }),
      family('RouteSAE soft', { k, routing: 'soft' }),
    ];
    const { results } = await run(request(saes, { prefixes: [700] }));
    for (const result of results) expectValues(result, 5e-5);
  });

  it('keeps the k largest of all latents, of which a prefix may have none', async () => {
    const saes = [family('TopK', { layer: 16, k })];
    const { results } = await run(request(saes, { prefixes: [1, 100, 1024] }));
    expectValues(results[0]!, 1e-5);
    const { sweep, strict, reference } = results[0]!;
    expect(sweep![2]).toEqual({ prefix: 1024, strict, reference });
  });
});

describe('prefixes that do not fit', () => {
  const both = [nested('matryoshka'), nested('widths')];
  const topk = family('TopK', { layer: 16, k });
  const refused = async (
    saes: SaeSpec[],
    change: Partial<EvaluationRequest> | { prefixes: unknown },
  ): Promise<string[]> => {
    const wrong = request(saes, change as Partial<EvaluationRequest>);
    const error = await validateRequest(wrong).then(
      () => null,
      (thrown: unknown) => thrown as SaeEvalError,
    );
    expect(error).toBeInstanceOf(SaeEvalError);
    return error!.fields.map(({ path, message }) => `${path}: ${message}`);
  };

  it.each([
    [
      [64, 200],
      ["prefixes[1]: expected at most 128, the latents of 'widths', which has most, found 200"],
    ],
    [[8, 8], ['prefixes[1]: expected more than 8, the prefix before it, found 8']],
    [[20, 8], ['prefixes[1]: expected more than 20, the prefix before it, found 8']],
    [[0, 8], ['prefixes[0]: expected at least 1, found 0']],
    [[], ['prefixes: expected at least 1 item, found []']],
    [8, ['prefixes: expected groups or a list, found 8']],
    ['group', ['prefixes: expected groups, found "group"; did you mean groups?']],
  ])('%j is refused', async (prefixes, fields) => {
    expect(await refused(both, { prefixes })).toEqual(fields);
  });

  it('are refused beside inferK or theta, and as groups that no file tells', async () => {
    for (const other of [{ inferK: 4 }, { theta: [0.5] }])
      expect(await refused([topk], { prefixes: [8], ...other })).toEqual([
        `prefixes: prefixes and ${Object.keys(other)[0]} exclude each other: give one of them`,
      ]);
    expect(await refused([topk], { prefixes: 'groups' })).toEqual([
      expect.stringMatching(
        /^prefixes: "groups" asks for .* file of 'TopK' does not tell: give a list/,
      ),
    ]);
  });

  it('leave out what is above the latents of a smaller SAE, with a note', async () => {
    const { saes } = await validateRequest(request(both, { prefixes: [40, 100, 120] }));
    expect(saes.map(({ prefixes }) => prefixes)).toEqual([[40], [40, 100, 120]]);
    expect(saes[0]!.prefixNotes.map(({ en }) => en)).toEqual([
      'It has 48 latents: its sweep leaves out the prefixes 100, 120.',
    ]);
  });
});
