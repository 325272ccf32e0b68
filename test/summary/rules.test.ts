/** Every sentence of a summary follows from numbers: cases in which it must and must not stand. */
import { describe, expect, it } from 'vitest';
import { findings } from '#src/findings/index.js';
import type { EvaluationResult, SaeResult, Statement, StrictValues } from '#src/schema/index.js';
import { summarize } from '#src/summary/index.js';
import { summaryRules } from '#src/summary/rules.js';
import { withTable } from '../docs/generated-section.js';
import { evaluationResult, klPairs, saeResult } from '../report/fixture.js';

const mean = (value: number, spread = 0.02): { mean: number; ci95: [number, number] } => ({
  mean: value,
  ci95: [value * (1 - spread), value * (1 + spread)],
});
const strictly = (sae: SaeResult, change: Partial<StrictValues>): SaeResult => ({
  ...sae,
  strict: { ...sae.strict!, ...change },
});

/** A run of these SAEs, every pair compared, with its findings. */
function run(
  results: readonly SaeResult[],
  { spread = 0.02, ...change }: Partial<EvaluationResult> & { spread?: number } = {},
): EvaluationResult {
  const result = evaluationResult({
    results: [...results],
    comparisons: klPairs(results, spread),
    ...change,
  });
  return { ...result, findings: findings(result) };
}
const said = (result: EvaluationResult, code: string): Statement[] =>
  summarize(result).statements.filter((one) => one.code === code);
const sentence = (result: EvaluationResult, code: string): string =>
  said(result, code)
    .map(({ message }) => message.en)
    .join(' ');

const topk = saeResult('TopK');
const route = saeResult('RouteSAE');
const mlsae = saeResult('MLSAE');
const random = saeResult('RandomK');
const vanilla = saeResult('Vanilla');
const crosscoder = saeResult('Crosscoder');
/** A cross-layer SAE, with the values of its layers together. */
const layered = saeResult('Crosscoder', {
  label: 'CLT',
  replacement: { KLDivPerToken: mean(0.9), NextTokenAgreement: mean(0.62) },
});
const failed = saeResult('TopK', {
  label: 'broken',
  error: { code: 'io-failed', message: 'gone' },
  strict: null,
  reference: null,
});
/** TopKs of one training: the same layer and k, with these KLs. */
const checkpoints = (...kls: readonly number[]): SaeResult[] =>
  kls.map((kl, i) =>
    strictly(saeResult('TopK', { label: `step ${i}` }), { KLDivPerToken: mean(kl) }),
  );

/** The prefixes 64 and m of a TopK. */
const swept: SaeResult = {
  ...topk,
  sweep: [64, topk.m!].map((prefix, i) => ({
    prefix,
    reference: null,
    strict: {
      ...topk.strict!,
      KLDivPerToken: mean(i === 0 ? 3 : topk.strict!.KLDivPerToken!.mean),
    },
  })),
};

/** For each rule a run in which it must stand, and one in which it must not. */
const cases: Record<string, { stands: EvaluationResult; silent: EvaluationResult | null }> = {
  compared: { stands: run([topk]), silent: null },
  'no-intervals': {
    stands: run([
      { ...topk, strict: null },
      { ...route, strict: null },
    ]),
    silent: run([topk, route]),
  },
  'baseline-standing': { stands: run([topk, random]), silent: run([topk, route]) },
  identities: { stands: run([vanilla]), silent: run([topk, crosscoder]) },
  'fixed-against-routed': {
    stands: run([topk, route]),
    silent: run([topk, strictly(route, { L0: mean(32) })]),
  },
  'mlsae-against-routed': { stands: run([mlsae, route]), silent: run([mlsae, topk]) },
  'crosscoder-place': { stands: run([crosscoder, mlsae]), silent: run([mlsae, topk]) },
  'replacement-model': { stands: run([topk, layered]), silent: run([crosscoder]) },
  'nested-prefixes': {
    stands: run([swept]),
    silent: run([topk, { ...swept, sweep: swept.sweep!.slice(1) }]),
  },
  recommended: { stands: run([topk, mlsae]), silent: run([topk, vanilla, random]) },
  'check-failure': { stands: run([failed, topk]), silent: run([topk]) },
  'check-sparsity': { stands: run([vanilla]), silent: run([topk]) },
  'check-training': {
    stands: run([strictly(topk, { DeadLatents: { mean: 0.4 } })]),
    silent: run([strictly(topk, { DeadLatents: { mean: 0.01 } })]),
  },
  'check-scale': {
    stands: run([strictly(topk, { NormRatio: mean(4) })]),
    silent: run([topk]),
  },
  'check-layer': {
    stands: run([strictly(topk, { KLDivPerToken: mean(0.9) }), random]),
    silent: run([topk, random]),
  },
  'baseline-confirmed': { stands: run([topk, random]), silent: run([topk]) },
};

describe('each rule', () => {
  it('has cases', () => {
    expect(Object.keys(cases)).toEqual(summaryRules.map(({ code }) => code));
  });

  it.each(Object.entries(cases))('%s stands and is silent', (code, { stands, silent }) => {
    expect(said(stands, code).length).toBeGreaterThan(0);
    if (silent !== null) expect(said(silent, code)).toEqual([]);
  });

  it('cites the same numbers in both languages, and names SAEs of the run', () => {
    const digits = (text: string): string[] => (text.match(/\d+(\.\d+)?/g) ?? []).sort();
    for (const { stands } of Object.values(cases))
      for (const { message, evidence, saes } of summarize(stands).statements) {
        expect(digits(message.zh)).toEqual(digits(message.en));
        expect(Object.keys(evidence).length).toBeGreaterThan(0);
        for (const label of saes) expect(stands.results.map((one) => one.label)).toContain(label);
      }
  });
});

describe('the verdict', () => {
  it('says how many times better than the baseline, with the interval', () => {
    const [times] = said(run([topk, mlsae, random]), 'baseline-standing');
    const ratio = (sae: SaeResult): number =>
      random.strict!.KLDivPerToken!.mean / sae.strict!.KLDivPerToken!.mean;
    for (const sae of [topk, mlsae])
      expect(times!.message.en).toMatch(
        new RegExp(`${sae.label} ${ratio(sae).toPrecision(3)} \\[[\\d.]+, [\\d.]+\\]`),
      );
  });

  it('compares routing with a fixed layer only at the same L0, with the caveat of depth', () => {
    const text = sentence(run([topk, route, mlsae]), 'fixed-against-routed');
    expect(text).toMatch(/RouteSAE \(layers 4–12\) is 1\.56 .* times smaller .*TopK \(layer 16\)/);
    expect(text).toContain('KL depends on depth (MLSAE: ');
    const alike = run([topk, { ...route, layers: [16] }]);
    expect(sentence(alike, 'fixed-against-routed')).not.toContain('depends on depth');
  });

  it('does not rank what the paired interval cannot tell apart', () => {
    const open = run([topk, route, mlsae, random], { spread: 10 });
    expect(sentence(open, 'fixed-against-routed')).toContain('cannot be told from');
    expect(sentence(open, 'fixed-against-routed')).not.toContain('times smaller');
    expect(sentence(open, 'baseline-standing')).toContain('not to be told from it');
    expect(sentence(open, 'baseline-confirmed')).toContain('not confirmed');
  });

  it('uses the intervals of the SAEs if a run did not compare the pair', () => {
    const apart = run([topk, route], { comparisons: [] });
    expect(sentence(apart, 'fixed-against-routed')).toContain('times smaller');
    const wide = [topk, route].map((sae) =>
      strictly(sae, { KLDivPerToken: mean(sae.strict!.KLDivPerToken!.mean, 2) }),
    );
    expect(sentence(run(wide, { comparisons: [] }), 'fixed-against-routed')).toContain(
      'cannot be told from',
    );
  });

  it('says of standard kinds whether they are identities', () => {
    expect(sentence(run([vanilla]), 'identities')).toContain('is a near-identity');
    expect(sentence(run([strictly(vanilla, { L0: mean(40) })]), 'identities')).toContain(
      'is no near-identity',
    );
  });
});

describe('the recommendation', () => {
  it('names those that cannot be told from the best checkpoint', () => {
    const text = sentence(run(checkpoints(0.3, 0.2, 0.201, 0.4)), 'recommended');
    expect(text).toContain('step 1 (KL 0.2 ');
    expect(text).toContain('cannot be told from it: step 2');
    expect(text).not.toMatch(/step [03]/);
  });

  it('names no SAE of larger L0 without less KL', () => {
    const [few, more] = checkpoints(0.2, 0.2).map((sae, i) =>
      strictly(sae, { L0: mean([8, 16][i]!) }),
    );
    const text = sentence(run([few!, more!]), 'recommended');
    expect(text).toContain('step 0');
    expect(text).not.toContain('step 1');
  });

  it('names one for each sparsity of the frontier', () => {
    const [low, middle, high] = checkpoints(0.4, 0.3, 0.2).map((sae, i) =>
      strictly(sae, { L0: mean([8, 16, 32][i]!) }),
    );
    const text = sentence(run([low!, middle!, high!]), 'recommended');
    for (const label of ['step 0', 'step 1', 'step 2']) expect(text).toContain(label);
    const beaten = strictly(middle!, { KLDivPerToken: mean(0.5) });
    expect(sentence(run([low!, beaten, high!]), 'recommended')).not.toContain('step 1');
  });

  it('leaves out near-identities, baselines, and SAEs behind a baseline', () => {
    const behind = strictly(saeResult('TopK', { label: 'behind' }), { KLDivPerToken: mean(0.9) });
    const text = sentence(run([topk, mlsae, vanilla, random, behind]), 'recommended');
    for (const label of ['Vanilla', 'RandomK', 'behind']) expect(text).not.toContain(label);
  });

  it('does not rank across layers', () => {
    const text = sentence(run([topk, mlsae, route]), 'recommended');
    expect(text).toContain('at layer 16, TopK');
    expect(text).toContain('at layers 4–12, MLSAE');
  });
});

describe('docs/reference/summary.md', () => {
  it('lists the rules', async () => {
    const rows = summaryRules.map(
      ({ code, part, condition }) =>
        `| \`${code}\` | ${part} | ${condition.en} | ${condition.zh} |`,
    );
    const table = ['| code | part | condition | 条件 |', '|---|---|---|---|', ...rows];
    const { path, text } = withTable('summary.md', table.join('\n'));
    await expect(text).toMatchFileSnapshot(path);
  });
});
