/** Reports in every format and both languages, from the result of a fixture. */
import { describe, expect, it } from 'vitest';
import { groupFindings } from '#src/findings/group.js';
import { findings } from '#src/findings/index.js';
import type { EvaluationResult } from '#src/schema/index.js';
import { renderReport } from '#src/report/index.js';
import { number } from '#src/report/numbers.js';
import { summarize } from '#src/summary/index.js';
import { evaluationResult, saeResult } from './fixture.js';

const full = (change: Partial<EvaluationResult> = {}): EvaluationResult => {
  const result = evaluationResult(change);
  return { ...result, findings: findings(result) };
};
const languages = ['en', 'zh'] as const;

/** Tables of a Markdown text, cells unescaped. */
function markdownTables(text: string): { head: string[]; rows: string[][] }[] {
  const cells = (line: string): string[] =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.replace(/\\/g, ''));
  return text.split(/\n(?!\|)/).flatMap((part) => {
    const lines = part.split('\n').filter((line) => line.startsWith('| '));
    return lines.length < 3 ? [] : [{ head: cells(lines[0]!), rows: lines.slice(2).map(cells) }];
  });
}

/** Fields of RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n|$)/g,
  )) {
    rows.at(-1)!.push(quoted === undefined ? (plain ?? '') : quoted.replace(/""/g, '"'));
    if (end === '\r\n') rows.push([]);
  }
  return rows.filter((row) => row.length > 1);
}

describe('Markdown', () => {
  it.each(languages)('has every number of the result, the best in bold (%s)', async (lang) => {
    const result = full();
    const tables = markdownTables(await renderReport(result, { format: 'md', lang }));
    const { head, rows } = tables.find(({ head: titles }) =>
      titles.some((title) => /^KL (divergence|散度) ↓$/.test(title)),
    )!;
    const column = head.indexOf('NormMSE ↓');
    // The three with the smallest errors are near-identities.
    expect(rows.map((row) => row[column])).toEqual(
      result.results.map(({ label, reference }) =>
        label === 'MLSAE' ? `**${number(reference!.NormMSE)}**` : number(reference!.NormMSE),
      ),
    );
    expect(rows.map(([label]) => label)).toEqual(
      result.results.map(({ label }) =>
        ['Vanilla', 'Gated', 'JumpReLU'].includes(label) ? `${label} †` : label,
      ),
    );
    const kl = head.findIndex((title) => /^KL (divergence|散度) ↓$/.test(title));
    expect(rows[result.results.findIndex(({ kind }) => kind === 'Crosscoder')]![kl]).toBe('n/a');
  });

  it.each(languages)(
    'says why a value is n/a, what was found, and how to run it again (%s)',
    async (lang) => {
      const result = full();
      const text = await renderReport(result, { format: 'md', lang });
      expect(text).toContain(
        lang === 'en' ? 'Under reference a Crosscoder has no splice' : 'Crosscoder 没有替换',
      );
      for (const { message } of groupFindings(result.findings))
        expect(text.replace(/\\/g, '')).toContain(message[lang]);
      for (const { message } of summarize(result).statements)
        expect(text.replace(/\\/g, '')).toContain(message[lang]);
      const request = JSON.parse(/```json\n([\s\S]*?)\n```/.exec(text)![1]!) as {
        saes: unknown[];
        batchSize: number;
      };
      expect([request.saes.length, request.batchSize]).toEqual([8, 64]);
      expect(request).not.toHaveProperty('threads');
    },
  );

  it('leaves no English sentence in the Chinese report', async () => {
    const text = (await renderReport(full(), { format: 'md', lang: 'zh' })).replace(
      /```[\s\S]*?```/g,
      '',
    );
    // names, code and units are Latin; five English words in a row would be a sentence
    expect(text.match(/(?:\b[a-z]{2,}\b[ ,]+){5}/gi)).toBeNull();
  });

  it('survives what users type', async () => {
    const hostile = 'a|b `c` <script>alert(1)</script>\n# h';
    const text = await renderReport(
      full({ results: [saeResult('TopK', { label: hostile }), saeResult('Vanilla')] }),
      { format: 'md', lang: 'en' },
    );
    const lines = text.split('\n');
    const bars = (line: string): number => line.match(/(?<!\\)\|/g)?.length ?? 0;
    const heads = lines.flatMap((line, i) => (line.startsWith('| SAE |') ? [i] : []));
    expect(heads.length).toBeGreaterThan(0);
    // every line of a table has as many bars as the rule below its head
    for (const head of heads)
      for (let i = head; lines[i]!.startsWith('|'); i++)
        expect(bars(lines[i]!)).toBe(bars(lines[head + 1]!));
    expect(text.replace(/```[\s\S]*?```/g, '')).not.toMatch(/(?<!\\)<script/);
  });
});

describe('CSV and JSON', () => {
  it('round-trips every estimate', async () => {
    const result = full();
    const [head, ...rows] = parseCsv(await renderReport(result, { format: 'csv', lang: 'en' }));
    expect(head).toEqual([
      'evaluation',
      'label',
      'kind',
      'checkpoint',
      'protocol',
      'layer',
      'inferK',
      'theta',
      'metric',
      'value',
      'ci95_low',
      'ci95_high',
      'prefix',
    ]);
    const find = (label: string, protocol: string, metric: string): string[] =>
      rows.find(
        (row) => row[1] === label && row[4] === protocol && row[5] === '' && row[8] === metric,
      )!;
    for (const sae of result.results) {
      expect(Number(find(sae.label, 'reference', 'NormMSE')[9])).toBe(sae.reference!.NormMSE);
      expect(find(sae.label, 'strict', 'KLDivPerToken').slice(9, 12).map(Number)).toEqual([
        sae.strict!.KLDivPerToken!.mean,
        ...sae.strict!.KLDivPerToken!.ci95!,
      ]);
    }
    expect(JSON.parse(await renderReport(result, { format: 'json', lang: 'en' }))).toEqual(
      JSON.parse(JSON.stringify(result)),
    );
  });

  it('disarms formulas', async () => {
    const rows = parseCsv(
      await renderReport(full({ results: [saeResult('TopK', { label: '=cmd("x"),1' })] }), {
        format: 'csv',
        lang: 'en',
      }),
    );
    expect(rows[1]![1]).toBe(`'=cmd("x"),1`);
  });
});

describe('several results', () => {
  const bold = (text: string, protocol: string): boolean =>
    text
      .split(/^## /m)
      .find(
        (part) =>
          part.startsWith(`Results, protocol ${protocol}`) || part.startsWith(`结果（${protocol}`),
      )!
      .includes('**');

  it('stand side by side, told apart', async () => {
    const text = await renderReport([full(), full({ id: 'second' })], { format: 'md', lang: 'en' });
    expect(text).toContain('TopK @1');
    expect(text).toContain('TopK @2');
    expect(text).not.toContain('differ in');
    expect([bold(text, 'reference'), bold(text, 'strict')]).toEqual([true, true]);
  });

  it('are not ranked if they answer different questions', async () => {
    const short = full({
      config: { ...full().config, dataset: { ...full().config.dataset, seqLen: 32 } },
    });
    const small = full({ config: { ...full().config, batchSize: 8 } });
    const lengths = await renderReport([full(), short], { format: 'md', lang: 'en' });
    expect(lengths.match(/differ in: Sequence length\./g)).toHaveLength(2);
    expect([bold(lengths, 'reference'), bold(lengths, 'strict')]).toEqual([false, false]);
    // A batch size defines the averages of reference and says nothing to strict.
    const batches = await renderReport([full(), small], { format: 'md', lang: 'zh' });
    expect(batches.match(/以下方面不同：批大小。/g)).toHaveLength(1);
    expect([bold(batches, 'reference'), bold(batches, 'strict')]).toEqual([false, true]);
  });
});
