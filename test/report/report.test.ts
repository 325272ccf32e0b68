/** Reports in every format and both languages, from the result of a fixture. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findings } from '#src/findings/index.js';
import type { EvaluationResult, SaeResult } from '#src/schema/index.js';
import { renderReport } from '#src/report/index.js';
import { number } from '#src/report/numbers.js';
import { renderTable } from '#src/report/terminal.js';
import { evaluationResult, saeResult } from './fixture.js';

const full = (change: Partial<EvaluationResult> = {}): EvaluationResult => {
  const result = evaluationResult(change);
  return { ...result, findings: findings(result) };
};
const languages = ['en', 'zh'] as const;

/** Rows of all Markdown tables, cells unescaped. */
function markdownRows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.replace(/\\/g, '')),
    );
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
    const rows = markdownRows(await renderReport(result, { format: 'md', lang }));
    const normMSE = rows.find(([name]) => name === 'NormMSE ↓')!;
    expect(normMSE.slice(1)).toEqual(
      result.results.map(({ label, reference }) =>
        label === 'Gated' ? `**${number(reference!.NormMSE)}**` : number(reference!.NormMSE),
      ),
    );
    const kl = rows.find(([name]) => /^KL (divergence|散度) ↓$/.test(name!))!;
    expect(kl[result.results.findIndex(({ kind }) => kind === 'Crosscoder') + 1]).toBe('n/a');
  });

  it.each(languages)(
    'says why a value is n/a, what was found, and how to run it again (%s)',
    async (lang) => {
      const result = full();
      const text = await renderReport(result, { format: 'md', lang });
      expect(text).toContain(
        lang === 'en' ? 'Under reference a Crosscoder has no splice' : 'Crosscoder 没有替换',
      );
      for (const { message } of result.findings)
        expect(text.replace(/\\/g, '')).toContain(message[lang]);
      const request = JSON.parse(/```json\n([\s\S]*?)\n```/.exec(text)![1]!) as {
        saes: unknown[];
        batchSize: number;
      };
      expect([request.saes.length, request.batchSize]).toEqual([8, 64]);
      expect(request).not.toHaveProperty('threads');
      expect(text.replace(/\\/g, '')).toContain('RouteSAE − TopK');
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
    const heads = lines.flatMap((line, i) => (line.startsWith('| Metric') ? [i] : []));
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
    expect(head).toHaveLength(12);
    const find = (label: string, protocol: string, metric: string): string[] =>
      rows.find(
        (row) => row[1] === label && row[4] === protocol && row[5] === '' && row[8] === metric,
      )!;
    for (const sae of result.results) {
      expect(Number(find(sae.label, 'reference', 'NormMSE')[9])).toBe(sae.reference!.NormMSE);
      expect(find(sae.label, 'strict', 'KLDivPerToken').slice(9).map(Number)).toEqual([
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

describe('the terminal', () => {
  it('splits wide tables and marks the best without color', () => {
    const wide = renderTable(full(), { protocol: 'reference', columns: 80 });
    expect(wide.match(/NormMSE/g)!.length).toBeGreaterThan(1);
    expect(wide).toContain('0.03532*');
    expect(Math.max(...wide.split('\n').map((line) => line.length))).toBeLessThanOrEqual(90);
  });

  it('prints no control characters of a label', () => {
    expect(
      renderTable(full({ results: [saeResult('TopK', { label: '\u001b[2Jx' })] }), {
        protocol: 'strict',
      }),
    ).not.toContain('\u001b[2J');
  });
});

describe('several results', () => {
  it('stand side by side, told apart', async () => {
    const text = await renderReport([full(), full({ id: 'second' })], { format: 'md', lang: 'en' });
    expect(text).toContain('TopK @1');
    expect(text).toContain('TopK @2');
    expect(text).not.toContain('differ in');
    expect(text).toMatch(/\| NormMSE .*\*\*0\.03532\*\*/);
  });

  it('are not ranked where they answer different questions', async () => {
    const short = full({
      config: { ...full().config, dataset: { ...full().config.dataset, seqLen: 32 } },
    });
    const small = full({ config: { ...full().config, batchSize: 8 } });
    const lengths = await renderReport([full(), short], { format: 'md', lang: 'en' });
    expect(lengths.match(/differ in: Sequence length\./g)).toHaveLength(2);
    expect(lengths).not.toMatch(/\| NormMSE .*\*\*/);
    // A batch size defines the averages of reference and says nothing to strict.
    const batches = (await renderReport([full(), small], { format: 'md', lang: 'zh' })).split(
      /^## /m,
    );
    const [reference, strict] = [
      batches.find((part) => part.includes('reference 协议'))!,
      batches.find((part) => part.includes('strict 协议'))!,
    ];
    expect(reference).toContain('以下方面不同：批大小。');
    expect(reference).not.toMatch(/\| NormMSE .*\*\*/);
    expect(strict).not.toContain('以下方面不同');
    expect(strict).toMatch(/\| NormMSE .*\*\*/);
  });
});

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
describe.skipIf(!existsSync(executablePath))(
  'HTML in Chromium (skipped where there is no chromium)',
  () => {
    let browser: Browser;
    let folder: string;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
      browser = await chromium.launch({
        executablePath,
        args: [
          '--no-sandbox',
          '--disable-gpu',
          '--disable-background-networking',
          '--no-first-run',
        ],
      });
    });
    afterAll(async () => {
      await browser.close();
      rmSync(folder, { recursive: true });
    });

    const sweep: SaeResult['sweep'] = [4, 16, 64].map((inferK) => ({
      inferK,
      reference: saeResult('TopK').reference,
      strict: {
        ...saeResult('TopK').strict!,
        L0: { mean: inferK },
        KLDivPerToken: { mean: 1 / inferK },
      },
    }));

    it.each([
      ['light', 1200],
      ['dark', 1200],
      ['light', 390],
    ] as const)('%s, %i pixels wide', async (colorScheme, width) => {
      const path = join(folder, 'report.html');
      writeFileSync(
        path,
        await renderReport(
          full({
            results: full().results.map((sae) => ({
              ...sae,
              sweep: sae.kind === 'TopK' ? sweep : null,
            })),
          }),
          { format: 'html', lang: 'en' },
        ),
      );
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
      const said: string[] = [];
      page
        .on('console', (message) => said.push(message.text()))
        .on('pageerror', (error) => said.push(error.message))
        .on('request', (request) => {
          if (!request.url().startsWith('file:') && !request.url().startsWith('data:'))
            said.push(`asked for ${request.url()}`);
        });
      await page.goto(`file://${path}`);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
        width,
      );
      const charts = await page.$$eval('main:not([lang="zh-CN"]) figure', (figures) =>
        figures.map((figure) => ({
          drawn: figure.querySelectorAll('svg path').length,
          title: figure.querySelector('svg > title')?.textContent,
          rows: figure.querySelectorAll('details tbody tr').length,
        })),
      );
      expect(charts.length).toBe(7); // error–KL, L0–KL, frontier, two per layer, routing, density
      for (const { drawn, title, rows } of charts)
        expect([drawn > 3, Boolean(title), rows > 1]).toEqual([true, true, true]);
      const background = (): Promise<string> =>
        page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const before = await background();
      await page.click('button[data-theme]');
      expect(await background()).not.toBe(before);
      await page.click('button[data-theme]');
      await page.click('button[data-lang="zh-CN"]');
      expect(await page.innerText('main:visible h1')).toBe('稀疏自编码器评估报告');
      await page.click('button[data-lang="en"]');
      expect(said).toEqual([]);
      await page.close();
    });

    it('shows what users typed as text', async () => {
      const path = join(folder, 'hostile.html');
      writeFileSync(
        path,
        await renderReport(
          full({
            results: [
              saeResult('TopK', { label: '<img src=x onerror="window.hacked=1">' }),
              saeResult('Vanilla', { label: '</style><script>window.hacked=1</script>' }),
            ],
          }),
          { format: 'html', lang: 'en' },
        ),
      );
      const page = await browser.newPage();
      await page.goto(`file://${path}`);
      expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
      expect(await page.innerText('main:visible')).toContain(
        '<img src=x onerror="window.hacked=1">',
      );
      await page.close();
    });
  },
);
