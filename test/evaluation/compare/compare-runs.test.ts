/**
 * Runs compared in pairs: two SAEs that ran apart differ by the bits by which they differ in one
 * run; runs that cannot be compared are refused by what differs; and how often a gate is wrong.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkWorse, parseWorseGate } from '#src/cli/worse-gate.js';
import { demoRequest } from '#src/cli/demo-request.js';
import { compareRuns } from '#src/evaluation/compare/compare-runs.js';
import { readSums, type RunSums } from '#src/evaluation/compare/sums-of-run.js';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { full } from '../../full.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
afterAll(() => rmSync(folder, { recursive: true }));

const demo = demoRequest();
const [topK, , , vanilla] = demo.saes;
const request = (change: Partial<EvaluationRequest> = {}): EvaluationRequest => ({
  ...demo,
  device: 'cpu',
  dataset: { ...demo.dataset, maxSamples: 24, seqLen: 32 },
  protocol: ['strict'],
  saes: [{ ...topK!, label: 'one' }],
  ...change,
});
const file = (name: string): string => join(folder, `${name}.safetensors`);

async function evaluated(
  name: string,
  change?: Partial<EvaluationRequest>,
): Promise<EvaluationResult> {
  return run(request(change), { sums: file(name) });
}

const sums = (name: string): RunSums => readSums(file(name), name);

let together: EvaluationResult;
beforeAll(async () => {
  const other = { ...vanilla!, label: 'two' };
  together = await evaluated('together', { saes: [...request().saes, other] });
  await evaluated('one');
  await evaluated('two', { saes: [other] });
});

it('gives the bits of the differences within a run', () => {
  // Both SAEs as if they had run apart: matmuls of other sizes round in another way.
  const both = sums('together');
  const [one, two] = both.saes;
  const base = { ...both, saes: [one!] };
  const { runs, sequences } = compareRuns(base, [{ ...both, saes: [two!] }]);
  expect(sequences).toBe(24);
  expect(runs[0]!.left).toEqual([]);
  const found = runs[0]!.differences;
  expect(together.comparisons.length).toBeGreaterThan(4);
  for (const { metric, a, b, ...numbers } of together.comparisons) {
    expect(numbers.ci95).not.toBeNull();
    const own = found.find((one) => one.metric === metric)!;
    expect(own).toMatchObject({ sae: b, otherSae: a, ...numbers });
  }
  const [mse, variance] = ['NormMSE', 'ExplainedVariance'].map((metric) =>
    found.find((one) => one.metric === metric),
  );
  const values = together.results.map(({ strict }) => strict!);
  expect(mse!.base).toBe(values[0]!.NormMSE!.mean);
  expect(variance).toMatchObject({
    base: values[0]!.ExplainedVariance!.mean,
    other: values[1]!.ExplainedVariance!.mean,
    ci95: null,
    verdict: 'unknown',
  });
  const apart = compareRuns(sums('one'), [sums('two')]).runs[0]!.differences;
  expect(apart).toHaveLength(found.length);
  for (const [at, { difference, base: mean }] of apart.entries())
    expect(Math.abs(difference - found[at]!.difference)).toBeLessThan(1e-5 * (1 + Math.abs(mean)));
});

it('pairs SAEs by label, or one with all, and picks metrics', () => {
  const base = sums('together');
  const same = compareRuns(base, [base], { metrics: ['KLDivPerToken'] }).runs[0]!;
  expect(
    same.differences.map(({ sae, otherSae, difference, ci95, verdict }) => [
      [sae, otherSae, difference, ci95, verdict],
    ]),
  ).toEqual([[['one', 'one', 0, [0, 0], 'undecided']], [['two', 'two', 0, [0, 0], 'undecided']]]);
  expect(() => compareRuns(base, [base], { metrics: ['KLDivPerTokn'] })).toThrow(
    /metrics: strict has no number 'KLDivPerTokn'; did you mean KLDivPerToken/,
  );
  const renamed = (run: RunSums): RunSums => ({
    ...run,
    saes: run.saes.map((sae) => ({ ...sae, label: `${sae.label}!` })),
  });
  const labels = compareRuns(renamed(base), [sums('two')], { metrics: ['NormMSE'] }).runs[0]!;
  expect(labels.differences.map(({ sae, otherSae }) => [sae, otherSae])).toEqual([
    ['one!', 'two'],
    ['two!', 'two'],
  ]);
  expect(() => compareRuns(renamed(base), [base])).toThrow(
    expect.objectContaining({
      code: 'not-comparable',
      message: expect.stringContaining('no SAE of the same label (one!, two!; one, two)') as string,
    }),
  );
});

describe('runs that cannot be compared', () => {
  it.each<[string, Partial<EvaluationRequest>, RegExp]>([
    [
      'shorter',
      { dataset: { ...request().dataset, seqLen: 16 } },
      /the texts differ: sequence 0 has 32 and 16/,
    ],
    ['fewer', { dataset: { ...request().dataset, maxSamples: 15 } }, /24 and 15 sequences/],
    ['dtype', { dtype: 'bfloat16' }, /computed in float32 and in bfloat16/],
    [
      'text',
      { dataset: { ...request().dataset, shuffle: 3 } },
      /the texts differ: sequence|cross-entropy of sequence \d+ is/,
    ],
    ['splices', { spliceSamples: 10 }, /24 and 10 samples were spliced/],
    ['positions', { exclude: { positions: [1, null] } }, /count other positions \(exclude\)/],
    ['protocol', { protocol: ['reference'] }, /protocol has no numbers under strict/],
  ])('are refused by name: %s', async (name, change, message) => {
    await evaluated(name, change);
    expect(() => compareRuns(sums('one'), [sums(name)])).toThrow(
      expect.objectContaining({
        code: 'not-comparable',
        message: expect.stringMatching(message) as string,
      }),
    );
  });

  it('are told by their files if no metric needs the logits', async () => {
    const plain = { metrics: ['NormMSE' as const] };
    await evaluated('plain', plain);
    const base = sums('plain');
    expect(compareRuns(base, [base]).runs[0]!.differences).toHaveLength(2);
    const edited = base.files.map((one) =>
      one.use === 'text' ? { ...one, digest: 'other' } : one,
    );
    expect(() => compareRuns(base, [{ ...base, files: edited }])).toThrow(/the files of the text/);
    expect(() => compareRuns(base, [{ ...base, files: [] }])).toThrow(
      /does not tell whether its text/,
    );
  });

  it('are refused if a byte of the sums is not the one that was written', () => {
    const bytes = readFileSync(file('one'));
    bytes[bytes.length - 100]! ^= 1;
    writeFileSync(file('damaged'), bytes);
    expect(() => sums('damaged')).toThrow(expect.objectContaining({ code: 'storage-damaged' }));
    writeFileSync(file('empty'), '');
    expect(() => sums('empty')).toThrow(/sums are damaged/);
  });
});

/** Seeded numbers of the normal distribution. */
function normals(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** A run whose KL differs from another's in each sequence by noise, and by a shift. */
function noisy(base: RunSums, { seed, shift }: { seed: number; shift: number }): RunSums {
  const normal = normals(seed);
  const [sae] = base.saes;
  const kl = sae!.columns.get('0/kl')!;
  const mean = kl.reduce((sum, value) => sum + value, 0) / kl.length;
  const columns = new Map(sae!.columns);
  columns.set(
    '0/kl',
    kl.map((value) => value + mean * (0.1 * normal() + shift)),
  );
  return { ...base, saes: [{ ...sae!, columns }] };
}

describe('the gate', () => {
  const gate = parseWorseGate('KLDivPerToken worse');
  const repetitions = full ? 200 : 20;
  const fired = (shift: number): number => {
    const base = sums('one');
    let count = 0;
    for (let seed = 1; seed <= repetitions; seed++) {
      const other = noisy(base, { seed: 7919 * seed, shift });
      const compared = compareRuns(base, [other], { metrics: ['KLDivPerToken'] });
      if (checkWorse(gate, compared).fired) count += 1;
    }
    return count / repetitions;
  };

  it('passes for noise and fails for a worsened SAE, on 24 sequences', () => {
    const [noise, worse] = [fired(0), fired(0.15)];
    console.log(`of ${repetitions}: noise fired ${noise}, 15 % worse fired ${worse}`);
    expect(noise).toBeLessThanOrEqual(full ? 0.07 : 0.15);
    expect(worse).toBeGreaterThanOrEqual(0.95);
  });

  it('looks at a label and at a margin', () => {
    const base = sums('one');
    const compared = compareRuns(base, [noisy(base, { seed: 1, shift: 0.5 })]);
    const outcome = (text: string) => checkWorse(parseWorseGate(text), compared);
    expect(outcome('KLDivPerToken worse').lines[0]).toMatch(/KLDivPerToken of one is worse by/);
    expect(outcome('one.KLDivPerToken worse by 10%').fired).toBe(true);
    expect(outcome('one.KLDivPerToken worse by 90 %')).toMatchObject({ fired: false, open: false });
    expect(outcome('KLDivPerToken worse by 0.001').fired).toBe(true);
    expect(outcome('NormMSE worse').fired).toBe(false);
    expect(outcome('none.NormMSE worse')).toMatchObject({ fired: false, open: true });
  });

  it.each([
    ['KLDivPerToken', /expected METRIC worse/],
    ['KLDiv worse', /did you mean/],
    ['L0 worse', /no metric of strict with an interval and a direction/],
    ['NormMSE worse by -1', /at least 0/],
  ])('is refused if it is wrong: %s', (text, message) => {
    expect(() => parseWorseGate(text)).toThrow(message);
  });
});
