import { describe, expect, it } from 'vitest';
import { groupFindings } from '#src/findings/group.js';
import { findings } from '#src/findings/index.js';
import { rules } from '#src/findings/rules.js';
import type { EvaluationResult, SaeResult, StrictValues } from '#src/schema/index.js';
import { withTable } from '../docs/generated-section.js';
import { evaluationResult, klPairs, saeResult } from '../report/fixture.js';

const strictly = (sae: SaeResult, change: Partial<StrictValues>): SaeResult => ({
  ...sae,
  strict: { ...sae.strict!, ...change },
});
const of = (change: Partial<EvaluationResult>): EvaluationResult => evaluationResult(change);
const codes = (result: EvaluationResult): string[] => findings(result).map(({ code }) => code);
const topk = saeResult('TopK');
const mean = (value: number): { mean: number } => ({ mean: value });

describe('on the shipped files', () => {
  const found = findings(evaluationResult());
  const labels = (code: string): (string | null)[] =>
    found.filter((one) => one.code === code).map(({ sae }) => sae);

  it('names near-identities with their L0 and width', () => {
    expect(labels('near-identity')).toEqual(['Vanilla', 'Gated', 'JumpReLU']);
    const vanilla = found.find(({ sae, code }) => sae === 'Vanilla' && code === 'near-identity')!;
    expect(vanilla.message.en).toMatch(/342\.9 latents.*2\.679 times.*\(128\).*0\.03418/);
    expect(vanilla.message.zh).toMatch(/342\.9/);
    expect(vanilla.evidence).toMatchObject({ width: 128 });
  });

  it('names the last-layer mismatch of the single-layer kinds', () => {
    expect(labels('measured-here-spliced-there')).toEqual(['TopK', 'Vanilla', 'Gated', 'JumpReLU']);
  });

  it('says nothing false', () => {
    expect(labels('dead-dictionary')).toEqual([]);
    expect(labels('baseline-beats-model')).toEqual([]);
    expect(labels('scale-mismatch')).toEqual([]);
    expect(labels('sae-failed')).toEqual([]);
    expect(labels('too-few-samples')).toEqual([]);
    expect(labels('mlsae-off-by-one')).toEqual(['MLSAE']);
    // 234 of 1,024 latents, below 9 · 128
    expect(labels('dense-dictionary')).toEqual(['Crosscoder']);
    expect(labels('randomk-layer')).toEqual(['RandomK']);
  });
});

const remarked = (notes: { en: string; zh: string }[]): EvaluationResult => {
  const { config } = evaluationResult();
  return of({ config: { ...config, architecture: { ...config.architecture, notes } } });
};

const lost = (count: number, records: number): EvaluationResult['data'] => ({
  ...evaluationResult().data,
  records,
  skippedRecords: count,
  skipped: [
    {
      reason: 'not-json',
      count,
      first: { file: 'a.jsonl', unit: 'line', number: 2, excerpt: '{' },
      en: 'not JSON',
      zh: '不是 JSON',
    },
  ],
});

/** An SAE with an explained variance under two protocols, and an interval 0.03 wide. */
function varying(one: number, other: number): SaeResult {
  const values = { explained_variance: one, explained_variance_legacy: one } as ToolValues;
  return {
    ...topk,
    strict: null,
    'saelens@6.52': values,
    'saebench@0.6': { ...values, explained_variance: other },
    explainedVarianceCi95: [0.79, 0.82],
  };
}
type ToolValues = NonNullable<SaeResult['saelens@6.52']>;

/** For each rule a result on which it fires and one, nearly the same, on which it must not. */
const cases: Record<string, { fires: EvaluationResult; silent: EvaluationResult }> = {
  'sae-failed': {
    fires: of({
      results: [
        {
          ...topk,
          error: { code: 'non-finite', message: 'NormMSE is NaN' },
          reference: null,
          strict: null,
        },
      ],
    }),
    silent: of({ results: [topk] }),
  },
  'model-files': {
    fires: remarked([{ en: 'The head is used.', zh: '使用该输出头。' }]),
    silent: remarked([]),
  },
  'records-lost': {
    fires: of({ data: lost(31, 60) }),
    silent: of({ data: lost(30, 60) }),
  },
  'near-identity': {
    fires: of({ results: [strictly(topk, { L0: mean(129), NormMSE: mean(0.049) })] }),
    silent: of({
      results: [
        strictly(topk, { L0: mean(128), NormMSE: mean(0.049) }),
        strictly(topk, { L0: mean(129), NormMSE: mean(0.05) }),
        strictly(saeResult('Crosscoder'), { L0: mean(1000), NormMSE: mean(0.01) }),
      ],
    }),
  },
  'dense-dictionary': {
    fires: of({ results: [strictly(topk, { L0: mean(103) })] }),
    silent: of({ results: [strictly(topk, { L0: mean(102) })] }),
  },
  'specials-dominate': {
    fires: of({
      results: [{ ...topk, specials: { tokens: 0.02, squaredError: 0.21, activeLatents: 0.02 } }],
    }),
    silent: of({
      results: [
        { ...topk, specials: { tokens: 0.02, squaredError: 0.2, activeLatents: 0.2 } },
        { ...topk, specials: { tokens: 0.02, squaredError: null, activeLatents: null } },
        { ...topk, specials: null },
      ],
    }),
  },
  'definitions-differ': {
    fires: of({ results: [varying(0.8, 0.84)] }),
    silent: of({
      results: [
        varying(0.8, 0.82),
        { ...varying(0.8, 0.84), explainedVarianceCi95: null },
        { ...topk, explainedVarianceCi95: [0.5, 0.51] },
      ],
    }),
  },
  'positions-differ': {
    fires: of({
      results: [
        { ...topk, positions: { exclude: [], from: 'default', counted: 9, real: 9 } },
        { ...topk, positions: { exclude: ['specials'], from: 'file', counted: 8, real: 9 } },
      ],
    }),
    silent: of({
      results: [
        { ...topk, positions: { exclude: ['specials'], from: 'request', counted: 8, real: 9 } },
        { ...topk, positions: { exclude: ['specials'], from: 'file', counted: 8, real: 9 } },
      ],
    }),
  },
  'dead-dictionary': {
    fires: of({ results: [strictly(topk, { DeadLatents: mean(0.1) })] }),
    silent: of({
      results: [strictly(topk, { DeadLatents: mean(0.2) })],
      config: { ...evaluationResult().config, inferK: 4 },
    }),
  },
  'scale-mismatch': {
    fires: of({ results: [strictly(topk, { NormRatio: mean(0.2) })] }),
    silent: of({ results: [strictly(topk, { NormRatio: mean(0.8) })] }),
  },
  'l0-not-as-published': {
    fires: of({ results: [strictly({ ...topk, publishedL0: 40 }, { L0: mean(51) })] }),
    silent: of({
      results: [
        strictly({ ...topk, publishedL0: 40 }, { L0: mean(50) }),
        strictly({ ...topk, label: 'b', publishedL0: 40 }, { L0: mean(30) }),
        strictly({ ...topk, label: 'c' }, { L0: mean(70) }),
      ],
    }),
  },
  'baseline-beats-model': {
    fires: of({ results: [topk, strictly(saeResult('RandomK'), { KLDivPerToken: mean(0.1) })] }),
    silent: of({ results: [topk, saeResult('RandomK')] }),
  },
  'pairs-left-out': {
    fires: of({
      results: Array.from({ length: 17 }, (_, i) => ({ ...topk, label: `TopK ${i}` })),
    }),
    silent: of({
      results: Array.from({ length: 16 }, (_, i) => ({ ...topk, label: `TopK ${i}` })),
    }),
  },
  'input-spaces-differ': {
    fires: of({
      results: [
        { ...topk, normalization: 'pre' },
        { ...topk, label: 'b', normalization: 'none' },
      ],
    }),
    silent: of({
      results: [
        { ...topk, normalization: 'none' },
        { ...topk, label: 'b', normalization: 'none' },
        { ...topk, label: 'c', normalization: 'pre', error: { code: 'non-finite', message: '' } },
      ],
    }),
  },
  'layers-differ': {
    fires: of({ results: [topk, saeResult('MLSAE')] }),
    silent: of({ results: [topk, saeResult('Vanilla')] }),
  },
  'error-against-kl': {
    fires: of({
      results: [
        strictly(topk, { NormMSE: mean(0.1), KLDivPerToken: mean(0.5) }),
        strictly({ ...topk, label: 'b' }, { NormMSE: mean(0.2), KLDivPerToken: mean(0.3) }),
      ],
    }),
    silent: of({
      results: [
        strictly(topk, { NormMSE: mean(0.1), KLDivPerToken: mean(0.3) }),
        strictly({ ...topk, label: 'b' }, { NormMSE: mean(0.2), KLDivPerToken: mean(0.5) }),
      ],
    }),
  },
  'measured-here-spliced-there': {
    fires: of({ results: [topk] }),
    silent: of({ results: [{ ...topk, layer: 15 }, saeResult('RouteSAE')] }),
  },
  'mlsae-off-by-one': {
    fires: of({ results: [saeResult('MLSAE')] }),
    silent: of({ results: [saeResult('MLSAE', { reference: null }), saeResult('Crosscoder')] }),
  },
  'padding-counts': {
    fires: of({ results: [topk] }),
    silent: of({ results: [topk], data: { ...evaluationResult().data, paddedTokens: 0 } }),
  },
  'too-few-samples': {
    fires: of({ data: { ...evaluationResult().data, samples: 19 } }),
    silent: of({ data: { ...evaluationResult().data, samples: 20 } }),
  },
  'inside-noise': {
    fires: of({
      comparisons: [
        { metric: 'KLDivPerToken', a: 'x', b: 'y', difference: 0.1, ci95: [-0.01, 0.2] },
      ],
    }),
    silent: of({
      comparisons: [
        { metric: 'KLDivPerToken', a: 'x', b: 'y', difference: 0.1, ci95: [0.01, 0.2] },
        { metric: 'NormMSE', a: 'x', b: 'y', difference: 0, ci95: null },
      ],
    }),
  },
  'kl-per-sequence': {
    fires: of({ results: [topk] }),
    silent: of({ results: [saeResult('Crosscoder')] }),
  },
  'randomk-layer': {
    fires: of({ results: [saeResult('RandomK')] }),
    silent: of({ results: [topk] }),
  },
  stopped: {
    fires: of({ stopped: true }),
    silent: of({ stopped: false }),
  },
  'transcoder-sites': {
    fires: of({
      results: [
        saeResult('TopK', {
          site: 'mlp_out',
          hookPoint: 'blocks.5.mlp.hook_in',
          hookOut: 'blocks.5.hook_mlp_out',
          reads: { layer: 6, site: 'ln2_out' },
        }),
      ],
    }),
    silent: of({ results: [topk] }),
  },
  'truncated-text': {
    fires: evaluationResult(),
    silent: of({ data: { ...evaluationResult().data, truncatedTokens: 1000 } }),
  },
};

describe('an exact reconstruction', () => {
  it('is not compared with itself: its KL is what rounding leaves', () => {
    const exact = strictly(topk, { NormMSE: mean(0), KLDivPerToken: mean(-4.6e-9) });
    const other = strictly(
      { ...topk, label: 'b' },
      { NormMSE: mean(0), KLDivPerToken: mean(-9e-9) },
    );
    expect(
      findings(of({ results: [exact, other] })).filter(({ code }) => code === 'error-against-kl'),
    ).toEqual([]);
  });
});

describe('each rule', () => {
  it('has cases', () => {
    expect(Object.keys(cases).sort()).toEqual(rules.map(({ code }) => code).sort());
  });

  it.each(Object.entries(cases))('%s fires and is silent', (code, { fires, silent }) => {
    expect(codes(fires)).toContain(code);
    expect(codes(silent)).not.toContain(code);
  });

  it('cites, in both languages, numbers that are in its evidence or the result', () => {
    for (const { fires } of Object.values(cases)) {
      for (const { message, evidence } of findings(fires)) {
        expect(Object.keys(evidence).length).toBeGreaterThan(0);
        const digits = (text: string): string[] => (text.match(/\d+(\.\d+)?/g) ?? []).sort();
        expect(digits(message.zh)).toEqual(digits(message.en));
      }
    }
  });
});

describe('findings in groups', () => {
  const several = (['Vanilla', 'Gated', 'JumpReLU'] as const).map((kind) => saeResult(kind));
  const found = findings(
    of({
      results: [...several, topk, saeResult('RandomK')],
      comparisons: klPairs([...several, topk], 10),
    }),
  );

  it('are one sentence for many SAEs, which names them all', () => {
    const groups = groupFindings(found);
    const identity = groups.filter(({ code }) => code === 'near-identity');
    expect(identity).toHaveLength(1);
    expect(identity[0]!.found).toHaveLength(3);
    for (const { message } of identity)
      for (const { label } of several) {
        expect(message.en).toContain(label);
        expect(message.zh).toContain(label);
      }
    // 6 pairs that cannot be told apart are one line
    expect(found.filter(({ code }) => code === 'inside-noise')).toHaveLength(6);
    const noise = groups.filter(({ code }) => code === 'inside-noise');
    expect(noise.map(({ message }) => message.en)).toEqual([
      expect.stringContaining('6 pairs by KLDivPerToken'),
    ]);
    expect(groups.flatMap((group) => group.found)).toHaveLength(found.length);
  });

  it('cite the same numbers in both languages', () => {
    const digits = (text: string): string[] => (text.match(/\d+(\.\d+)?/g) ?? []).sort();
    for (const { fires } of Object.values(cases)) {
      const one = findings(fires);
      for (const { message } of groupFindings([...one, ...one]))
        expect(digits(message.zh)).toEqual(digits(message.en));
    }
  });

  it('put the most serious first', () => {
    const failed = saeResult('TopK', {
      label: 'broken',
      error: { code: 'io-failed', message: 'gone' },
      strict: null,
      reference: null,
    });
    const order = groupFindings(findings(of({ results: [...several, failed] }))).map(
      ({ severity }) => severity,
    );
    expect(order[0]).toBe('error');
    expect(order).toEqual(
      ['error', 'warning', 'info'].flatMap((one) => order.filter((other) => other === one)),
    );
  });
});

describe('docs/findings.md', () => {
  it('lists the rules', async () => {
    const rows = rules.map(
      ({ code, severity, condition }) =>
        `| \`${code}\` | ${severity} | ${condition.en} | ${condition.zh} |`,
    );
    const table = ['| code | severity | condition | 条件 |', '|---|---|---|---|', ...rows];
    const { path, text } = withTable('findings.md', table.join('\n'));
    await expect(text).toMatchFileSnapshot(path);
  });
});
