/**
 * HTML reports in Chromium: what is seen, sorted, hovered, printed. Skipped without a chromium; the
 * test of print also without pdftotext (Debian's poppler-utils).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findings } from '#src/findings/index.js';
import type { EvaluationResult, SaeResult } from '#src/schema/index.js';
import { renderReport } from '#src/report/index.js';
import { estimate, number } from '#src/report/numbers.js';
import { scalarFieldsOf } from '#src/metrics/table.js';
import { estimateOf } from '#src/report/metric-rows.js';
import { executable, launch } from '../browser.js';
import { evaluationResult, klPairs, saeResult } from './fixture.js';

const full = (change: Partial<EvaluationResult> = {}): EvaluationResult => {
  const result = evaluationResult(change);
  const compared = { ...result, comparisons: klPairs(result.results) };
  return { ...compared, findings: findings(compared) };
};
const sweep: SaeResult['sweep'] = [4, 16, 64].map((inferK) => ({
  inferK,
  reference: saeResult('TopK').reference,
  strict: {
    ...saeResult('TopK').strict!,
    L0: { mean: inferK },
    KLDivPerToken: { mean: 1 / inferK },
  },
}));
const withSweep = full({
  results: full().results.map((sae) => ({ ...sae, sweep: sae.kind === 'TopK' ? sweep : null })),
});

const hasPdftotext = ((): boolean => {
  try {
    execFileSync('pdftotext', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(executable === undefined)('HTML in Chromium (skipped without chromium)', () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
    browser = await launch();
    writeFileSync(join(folder, 'report.html'), await renderReport(withSweep, { format: 'html' }));
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  /** A page with a file, and what it said or asked for. */
  async function open(
    file: string,
    options: BrowserContextOptions,
  ): Promise<{ page: Page; said: string[] }> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const said: string[] = [];
    page
      .on('console', (message) => said.push(message.text()))
      .on('pageerror', (error) => said.push(error.message))
      .on('request', (request) => {
        if (!request.url().startsWith('file:') && !request.url().startsWith('data:'))
          said.push(`asked for ${request.url()}`);
      });
    await page.goto(`file://${join(folder, file)}`);
    return { page, said };
  }

  it.each([
    ['light', 1280],
    ['dark', 390],
  ] as const)('%s, %i pixels wide: fits, draws, and says nothing', async (colorScheme, width) => {
    const { page, said } = await open('report.html', {
      viewport: { width, height: 900 },
      colorScheme,
    });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
      width,
    );
    const charts = await page.$$eval('.report:not([lang="zh-CN"]) figure', (figures) =>
      figures.map((figure) => ({
        points: figure.querySelectorAll('svg [data-tip]').length,
        rows: figure.querySelectorAll('details tbody tr').length,
      })),
    );
    expect(charts.length).toBe(7); // error–KL, L0–KL, frontier, two per layer, routing, density
    for (const { points, rows } of charts) expect([points > 2, rows > 2]).toEqual([true, true]);
    // Row names stay in view while a table scrolls.
    const sticks = await page.evaluate(() => {
      const box = document.querySelector('#results-strict ~ .scroll')!;
      box.scrollLeft = 200;
      const name = box.querySelector('tbody th')!.getBoundingClientRect();
      return {
        apart: Math.abs(name.left - box.getBoundingClientRect().left),
        height: name.height,
      };
    });
    expect(sticks.apart).toBeLessThan(2);
    // `TopK` is not broken into letters.
    expect(sticks.height).toBeLessThan(64);
    const background = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await background();
    await page.click('button[data-theme]:visible');
    const after = await background();
    expect(after).not.toBe(before);
    await page.reload();
    expect(await background()).toBe(after);
    expect(said).toEqual([]);
    await page.context().close();
  });

  it('has contents, sorts by mouse and keyboard, and shows numbers on hovering', async () => {
    const { page } = await open('report.html', { viewport: { width: 1280, height: 900 } });
    for (const link of await page.locator('nav:visible ol a').all()) {
      const target = (await link.getAttribute('href'))!;
      expect(await page.locator(target).count(), target).toBe(1);
    }
    const table = page.locator('#results-strict ~ .scroll table').first();
    const first = (): Promise<string> => table.locator('tbody th').first().innerText();
    expect(await first()).toBe('TopK');
    await table.getByRole('button', { name: 'KL per token' }).click();
    expect(await first()).toBe('Gated †');
    await table.getByRole('button', { name: 'KL per token' }).press('Enter');
    expect(await first()).toBe('RandomK');
    expect(await table.locator('th[aria-sort="descending"]').count()).toBe(1);
    await table.getByRole('button', { name: 'KL per token' }).press('Space');
    expect(await first()).toBe('TopK');

    const point = page.locator('.charts:visible figure').first().locator('circle').first();
    await point.scrollIntoViewIfNeeded();
    await point.hover({ force: true });
    const { strict } = saeResult('TopK');
    expect(await page.locator('#tip').innerText()).toContain(
      `KL per token: ${number(strict!.KLDivPerToken!.mean)}`,
    );
    await page.context().close();
  });

  it('speaks the language of the browser, or the one that was chosen', async () => {
    const { page } = await open('report.html', { locale: 'zh-CN' });
    const heading = (): Promise<string> => page.locator('h1:visible').innerText();
    expect(await heading()).toBe('稀疏自编码器评估报告');
    expect(await page.title()).toBe('稀疏自编码器评估报告');
    expect(await page.locator('nav:visible').innerText()).toContain('浅色或深色');
    await page.click('button[data-lang="en"]:visible');
    expect(await heading()).toBe('Evaluation of sparse autoencoders');
    await page.reload();
    expect(await heading()).toBe('Evaluation of sparse autoencoders');
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('en');
    await page.context().close();

    writeFileSync(
      join(folder, 'asked.html'),
      await renderReport(withSweep, { format: 'html', lang: 'en' }),
    );
    const asked = await open('asked.html', { locale: 'zh-CN' });
    expect(await asked.page.locator('h1:visible').innerText()).toBe(
      'Evaluation of sparse autoencoders',
    );
    await asked.page.context().close();
  });

  it.skipIf(!hasPdftotext)(
    'prints every number of its tables on A4, from dark mode too',
    async () => {
      const { page } = await open('report.html', { colorScheme: 'dark' });
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      expect(await page.evaluate(() => getComputedStyle(document.body).color)).toBe(
        'rgb(28, 32, 36)',
      );
      await page.emulateMedia({ media: null, colorScheme: 'dark' });
      const path = join(folder, 'report.pdf');
      await page.pdf({ path, preferCSSPageSize: true });
      const text = execFileSync('pdftotext', ['-layout', path, '-'], { encoding: 'utf8' });
      const box = execFileSync('pdfinfo', [path], { encoding: 'utf8' });
      expect(box).toMatch(/Page size: +59[45]\.\d+ x 84[12]\.\d+ pts \(A4\)/);
      for (const protocol of ['reference', 'strict'] as const)
        for (const field of scalarFieldsOf(protocol))
          for (const sae of withSweep.results)
            for (const part of estimate(estimateOf(sae, field)).split(' '))
              expect(text, `${sae.label} ${protocol}.${field.field}`).toContain(part);
      // A summary of eight kinds fits the first page with its conclusions.
      const [one] = text.split('\f');
      expect(one).toContain('Baseline confirmed');
      await page.context().close();
    },
  );

  it('stays readable with a hundred SAEs', async () => {
    const results = Array.from({ length: 100 }, (_, i) => {
      const sae = saeResult((['TopK', 'MLSAE', 'JumpReLU'] as const)[i % 3]!, {
        label: `runs/step_${i}/ae.pt`,
      });
      const scale = 1 + i / 50;
      const kl = sae.strict!.KLDivPerToken!.mean * scale;
      return {
        ...sae,
        strict: {
          ...sae.strict!,
          L0: { mean: 8 + i },
          KLDivPerToken: { mean: kl, ci95: [0.98 * kl, 1.02 * kl] as [number, number] },
        },
      };
    });
    writeFileSync(
      join(folder, 'hundred.html'),
      await renderReport(full({ results }), { format: 'html' }),
    );
    const { page, said } = await open('hundred.html', { viewport: { width: 1280, height: 900 } });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
      1280,
    );
    expect(await page.locator('#summary ~ .scroll').first().locator('tbody tr').count()).toBe(12);
    // Labels of the scatter lie on no other label.
    const collisions = await page
      .locator('.charts:visible figure')
      .first()
      .evaluate((figure) => {
        const labels = [...figure.querySelectorAll('g[aria-label="text"] text')].map((text) =>
          text.getBoundingClientRect(),
        );
        return {
          labels: labels.length,
          collisions: labels.flatMap((a, i) =>
            labels
              .slice(0, i)
              .filter(
                (b) =>
                  a.left < b.right - 1 &&
                  b.left < a.right - 1 &&
                  a.top < b.bottom - 1 &&
                  b.top < a.bottom - 1,
              ),
          ).length,
        };
      });
    expect(collisions.labels).toBeGreaterThan(5);
    expect(collisions.collisions).toBe(0);
    expect(said).toEqual([]);
    await page.context().close();
  });

  it('shows what users typed as text', async () => {
    writeFileSync(
      join(folder, 'hostile.html'),
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
    const { page } = await open('hostile.html', {});
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
    expect(await page.innerText('main:visible')).toContain('<img src=x onerror="window.hacked=1">');
    await page.context().close();
  });
});
