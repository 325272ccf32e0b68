/** A result in a terminal: width, marks, summary and findings, in both languages. */
import { expect, it } from 'vitest';
import { findings } from '#src/findings/index.js';
import { renderFindings, renderLosses, renderSummary, renderTable } from '#src/report/terminal.js';
import { evaluationResult, saeResult } from './fixture.js';

const plain = evaluationResult();
const result = { ...plain, findings: findings(plain) };
const widest = (text: string): number =>
  Math.max(
    ...text
      .split('\n')
      .filter((line) => /[│─]/.test(line))
      .map((line) => line.length),
  );

it('has intervals where they fit, else none, else several tables', () => {
  const table = (columns: number): string => renderTable(result, { protocol: 'strict', columns });
  expect(table(400)).toMatch(/KL per token ↓ .*\d \[0\.\d+, 0\.\d+\]/);
  expect(table(140)).not.toMatch(/ \[/);
  expect(table(140).match(/KL per token/g)).toHaveLength(1);
  expect(table(80).match(/KL per token/g)!.length).toBeGreaterThan(1);
  for (const columns of [80, 140, 400]) expect(widest(table(columns))).toBeLessThanOrEqual(columns);
});

it('explains the star only where there is one', () => {
  const marked = renderTable(result, { protocol: 'strict' });
  expect(marked).toMatch(/\d\*/);
  expect(marked).toContain('* the best of');
  const one = renderTable({ ...result, results: [saeResult('TopK')] }, { protocol: 'strict' });
  expect(one).not.toContain('*');
});

it('prints the summary, and each rule once, the most serious first', () => {
  expect(renderSummary(result)[0]).toBe('Summary');
  const [error, warning, info] = (['error', 'warning', 'info'] as const).map((severity) => ({
    ...result.findings[0]!,
    code: severity,
    severity,
    message: { en: `an ${severity}`, zh: `一个 ${severity}` },
  }));
  const mixed = { ...result, findings: [info!, warning!, error!] };
  expect(renderFindings(mixed)).toEqual([
    'Error: an error',
    'Warning: an warning',
    '1 note stands in the report.',
  ]);
  expect(renderFindings(mixed, { lang: 'zh' })[0]).toBe('错误：一个 error');
  const warnings = result.findings.filter(({ severity }) => severity === 'warning');
  expect(renderFindings(result).length).toBeLessThan(warnings.length);
});

it('speaks Chinese', () => {
  expect(renderSummary(result, { lang: 'zh' })[0]).toBe('摘要');
  expect(renderTable(result, { protocol: 'strict', lang: 'zh' })).toMatch(/每词元 KL ↓/);
  const lossy = { ...result, data: { ...result.data, truncatedTokens: 5 } };
  expect(renderLosses(lossy, { lang: 'zh' })[0]).toMatch(/5 个词元/);
});

it('prints no control characters of a label', () => {
  const labelled = { ...result, results: [saeResult('TopK', { label: '\u001b[2Jx' })] };
  expect(renderTable(labelled, { protocol: 'strict' })).not.toContain('\u001b[2J');
});
