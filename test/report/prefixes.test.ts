/** Sweeps over prefixes in reports: tables, charts, CSV and the list of SAEs, in both languages. */
import { describe, expect, it } from 'vitest';
import { buildDocument } from '#src/report/build.js';
import { renderCsv } from '#src/report/csv.js';
import type { Block } from '#src/report/document.js';
import { renderMarkdown } from '#src/report/markdown.js';
import type { SaeResult } from '#src/schema/index.js';
import { evaluationResult, saeResult } from './fixture.js';

const whole = saeResult('TopK', { m: 1024 });
const at = (prefix: number, kl: number): NonNullable<SaeResult['sweep']>[number] => ({
  prefix,
  reference: whole.reference,
  strict: {
    ...whole.strict!,
    KLDivPerToken: { mean: kl, ci95: [kl - 0.1, kl + 0.1] },
    DeadLatents: { mean: 0.25 },
  },
});
const kl = whole.strict!.KLDivPerToken!.mean;
const nested: SaeResult = {
  ...whole,
  groups: [64, 256, 1024],
  sweep: [at(64, 4 * kl), at(256, 2 * kl)],
};
const other = saeResult('RouteSAE', {
  notes: [{ metric: 'prefixes', en: 'It has none.', zh: '没有。' }],
});
const result = evaluationResult({ results: [nested, other] });

describe.each(['en', 'zh'] as const)('a report in %s', (lang) => {
  const { blocks } = buildDocument(result, lang);
  const tables = blocks.flatMap((one) => (one.kind === 'table' ? [one.table] : []));
  const charts = blocks.filter((one): one is Extract<Block, { kind: 'chart' }> => {
    return one.kind === 'chart' && one.chart.x.name.match(/prefix|前缀/) !== null;
  });

  it('has a row for each prefix, and one for the whole SAE', () => {
    const table = tables.find(({ head }) => /^(?:Prefix|前缀)$/.test(head[0]!))!;
    expect(table.rows.map(([first]) => first!.text)).toEqual([
      '64',
      '256',
      lang === 'en' ? '1024 (whole)' : '1024（完整）',
    ]);
    expect(table.rows.map((row) => row.at(-2)!.text)).toEqual(['4', '2', '1']);
    expect(table.rows[0]!.at(-1)!.text).toBe('25 %');
  });

  it('draws KL and error over the prefixes, up to the whole SAE', () => {
    expect(charts.map(({ chart }) => chart.series.map(({ name }) => name))).toEqual([
      ['TopK'],
      ['TopK'],
    ]);
    const [{ chart }] = charts as [(typeof charts)[number]];
    expect(chart.x.log).toBe(true);
    expect(chart.series[0]!.points.map(({ x, y }) => [x, y / kl])).toEqual([
      [64, 4],
      [256, 2],
      [1024, 1],
    ]);
  });

  it('tells the groups, the SAEs without a sweep, and no frontier of sparsity', () => {
    const text = renderMarkdown({ title: '', lang, blocks });
    expect(text).toMatch(/64, 256, 1024|64、256、1024/);
    expect(text).toContain(lang === 'en' ? 'RouteSAE: It has none.' : 'RouteSAE：没有。');
    expect(text).not.toMatch(/Sparsity sweep|稀疏度扫描|Frontier of sparsity|稀疏度与 KL 的前沿/);
  });
});

it('a CSV has the prefix of each row', () => {
  const [head, ...rows] = renderCsv([result])
    .trim()
    .split('\r\n')
    .map((row) => row.split(','));
  const column = head!.indexOf('prefix');
  const found = rows.filter((row) => row.includes('KLDivPerToken') && row.includes('TopK'));
  expect(found.map((row) => row[column])).toEqual(['', '64', '256']);
});
