/**
 * Labels, names and file names of others in reports: what a browser, a terminal, GitHub or a
 * spreadsheet would obey is shown instead.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { renderReport } from '#src/report/index.js';
import { findings } from '#src/findings/index.js';
import { renderFindings, renderSummary, renderTable } from '#src/report/terminal.js';
import { shown, shownJson } from '#src/shown-text.js';
import { evaluationResult, saeResult } from './fixture.js';

const escape = '\u001b[2J\u001b]0;owned\u0007';
const eightBit = '\u009b31m';
const directions = '\u202egnp.exe\u202c \u2066x\u2069 \u200f';
const address = 'https://evil.example/a_b';
const labels = [
  `n${escape}x`,
  `c${eightBit}`,
  `d${directions}`,
  `s\u2028e\u2029`,
  `${address} www.evil.example me@evil.example`,
  'lone \ud800 surrogate',
];
const result = evaluationResult({
  results: labels.map((label) =>
    saeResult('TopK', { label, checkpoint: `runs/${label.slice(0, 20)}.pt` }),
  ),
});
result.findings = findings(result);
result.config.name = `name ${escape}${directions}`;

/** Characters that none of the formats may hold as they are. */
const obeyed =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

describe('a text', () => {
  it('keeps its letters, lines and joiners, and loses what is obeyed', () => {
    expect(shown('né 中文 क्‍ष a\n\tb 👩‍🔬')).toBe('né 中文 क्‍ष a\n\tb 👩‍🔬');
    expect(shown(labels.join('|'))).not.toMatch(obeyed);
    expect(shown(labels[5]!)).toBe('lone � surrogate');
  });

  it('is the same as JSON, with escapes for what would be obeyed', () => {
    const text = shownJson(labels);
    expect(text).not.toMatch(obeyed);
    expect(JSON.parse(text)).toEqual(labels);
  });
});

describe.each(['en', 'zh'] as const)('a report in %s', (lang) => {
  it.each(['html', 'md', 'json'] as const)('as %s holds nothing that is obeyed', async (format) => {
    const text = await renderReport(result, { format, lang });
    expect(text.replaceAll('\n', '')).not.toMatch(obeyed);
    expect(text).toContain('gnp.exe');
  });

  it('in a terminal has only the colors of its own', () => {
    const text = [
      renderTable(result, { protocol: 'strict', lang }),
      ...renderSummary(result, { lang }),
      ...renderFindings(result, { lang }),
    ].join('\n');
    expect(text.replaceAll('\n', '')).not.toMatch(obeyed);
    expect(text).toContain('gnp.exe');
  });
});

describe('Markdown', () => {
  it('makes no link of an address: it stands as code', async () => {
    const text = await renderReport(result, { format: 'md', lang: 'en' });
    for (const one of [address, 'www.evil.example', 'me@evil.example']) {
      expect(text).toContain(`\`${one}\``);
      // A block of code needs no marks.
      const outside = text.replace(/^```[^]*?^```$/gm, '').replaceAll(`\`${one}\``, '');
      expect(outside).not.toContain(one);
    }
  });
});

describe('CSV', () => {
  const fieldsOf = async (label: string): Promise<string> => {
    const csv = await renderReport(evaluationResult({ results: [saeResult('TopK', { label })] }), {
      format: 'csv',
    });
    // The checkpoint has a name of its own.
    return csv.split('\r\n')[1]!;
  };

  it.each([
    ['=1+1', "'=1+1"],
    [' =1+1', "' =1+1"],
    ['\t=1+1', "'\t'=1+1"],
    ['\u00a0@SUM(A1)', "'\u00a0@SUM(A1)"],
    ['\u3000＝1+1', "'\u3000＝1+1"],
    ['＋1', "'＋1"],
    ['x;=1+1;y', "x;'=1+1;y"],
    ['x; -1', "x;' -1"],
    ['x\t+1', "x\t'+1"],
    ['a-b=c+d', 'a-b=c+d'],
    ['plain', 'plain'],
  ])('has no formula in %j, also where semicolons separate', async (label, expected) => {
    expect(await fieldsOf(label)).toContain(`,${expected},`);
  });

  it('has none on a line of its own, however it ends', async () => {
    for (const end of ['\n', '\r', '\r\n'])
      expect(await fieldsOf(`x${end}=1+1`)).toContain(`,"x\n'=1+1",`);
  });
});

describe('HTML', () => {
  it('carries its policy, which allows its own script and nothing else', async () => {
    const text = await renderReport(result, { format: 'html' });
    const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(text)?.[1];
    const scripts = [...text.matchAll(/<script>([^]*?)<\/script>/g)].map(([, script]) => script!);
    expect(scripts).toHaveLength(1);
    const hash = createHash('sha256').update(scripts[0]!).digest('base64');
    expect(policy).toBe(
      `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; ` +
        "img-src data:; base-uri 'none'; form-action 'none'",
    );
    // It stands before everything that it governs.
    expect(text.indexOf('Content-Security-Policy')).toBeLessThan(
      text.search(/<(?:style|script|link)/),
    );
  });
});
