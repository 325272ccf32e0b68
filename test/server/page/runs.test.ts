/**
 * Runs on the page: the list with its filters and order, sweeps, charts, comparisons, the frontier,
 * cancelling.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import { serve, shippedRoot, smallRequest, temporaryFolder, untilReady } from '../harness.js';
import { executable, launch } from '../../browser.js';
import { picture, watch, type Watched } from './watched-page.js';

const sae = (kind: 'TopK' | 'Vanilla' | 'RandomK' | 'MLSAE'): object => ({
  kind,
  checkpoint: `checkpoints/${kind === 'RandomK' ? 'TopK' : kind}_tiny.pt`,
  ...(kind === 'TopK' || kind === 'Vanilla' ? { layer: 16 } : {}),
  ...(kind === 'Vanilla' ? {} : { k: 16 }),
});
const dataset = { path: 'checkpoints/eval', maxSamples: 24, seqLen: 32 };

describe.skipIf(executable === undefined)('runs on the page', () => {
  const folder = temporaryFolder();
  let server: RunningServer;
  let client: SaeEvalClient;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let watched: Watched;
  /** Ids of the runs by their names. */
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    server = await serve(folder.path, { roots: [shippedRoot(folder.path)] });
    client = new SaeEvalClient(server.url);
    await untilReady(server.url);
    const runs: Record<string, object> = {
      kinds: { saes: [sae('TopK'), sae('MLSAE'), sae('Vanilla'), sae('RandomK')], tags: ['wide'] },
      sweep: { saes: [sae('TopK')], inferK: [4, 8, 16], tags: ['sweep', 'tiny'], notes: 'try k' },
      short: { saes: [sae('TopK')], dataset: { ...dataset, seqLen: 16 }, tags: ['tiny'] },
      again: { saes: [{ ...sae('TopK'), label: 'mine' }] },
    };
    for (const [name, fields] of Object.entries(runs)) {
      const request = smallRequest({ dataset, name, ...fields });
      ids[name] = (await client.evaluate(request, { wait: true })).id;
    }
    browser = await launch();
    context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    watched = watch(page, server.url);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    folder.remove();
  });

  const names = (): Promise<string[]> => page.locator('.runs .what > a').allInnerTexts();
  const query = (): string => page.url().split('?')[1] ?? '';

  it('lists names, tags and headline numbers, sorted and filtered by the address', async () => {
    await page.goto(`${server.url}/#/`);
    await expect.poll(names).toEqual(['again', 'short', 'sweep', 'kinds']);
    const row = page.locator(`tr[data-id="${ids['kinds']}"]`);
    expect(await row.locator('.saes .line').allInnerTexts()).toEqual([
      'TopK',
      'MLSAE',
      'Vanilla',
      'RandomK',
    ]);
    const { headline } = (await client.list({ name: 'kinds' })).items[0]!;
    const kl = headline!.saes.map(({ values }) => values['strict.KLDivPerToken']!);
    const shown = await row.locator('td[data-title="KL per token"] .line').allInnerTexts();
    expect(shown.map(Number)).toEqual(kl.map((value) => expect.closeTo(value, 4)));
    await page.getByRole('button', { name: 'KL per token' }).click();
    await expect
      .poll(names)
      .toEqual(['kinds', ...['again', 'sweep', 'short'].map(() => expect.any(String))]);
    expect(query()).toBe('sort=strict.KLDivPerToken&order=asc');
    await picture('list', page);
    // The SAEs of a run follow the order too.
    expect(await row.locator('.saes .line').first().innerText()).not.toBe('TopK');
    await page.getByRole('button', { name: 'KL per token' }).click();
    await expect
      .poll(names)
      .toEqual([...['again', 'sweep', 'short'].map(() => expect.any(String)), 'kinds']);
    expect(await page.locator('th[aria-sort=descending]').innerText()).toContain('KL per token');
    await row.getByRole('button', { name: 'tag wide' }).click();
    await expect.poll(names).toEqual(['kinds']);
    await page.getByLabel('Tag', { exact: true }).fill('tiny');
    await expect.poll(async () => (await names()).toSorted()).toEqual(['short', 'sweep']);
    await page.getByLabel('Search').fill('try');
    await expect.poll(names).toEqual(['sweep']);
    expect(query()).toContain('q=try&tag=tiny');
  });

  it('opens a filtered list by its address, in pages, with the columns of last time', async () => {
    await page.goto(`${server.url}/#/`);
    await expect.poll(names).toHaveLength(4);
    await page.getByText('Columns', { exact: true }).click();
    await page.getByLabel('Explained variance').check();
    await page.getByLabel('Compute time').check();
    await page.getByRole('columnheader', { name: 'Explained variance' }).waitFor();
    const other = await context.newPage();
    try {
      await other.goto(`${server.url}/#/?status=succeeded&sort=name&order=asc&limit=2`);
      const listed = (): Promise<string[]> => other.locator('.runs .what > a').allInnerTexts();
      await expect.poll(listed).toEqual(['again', 'kinds']);
      expect(await other.getByLabel('Status').inputValue()).toBe('succeeded');
      expect(await other.getByRole('columnheader', { name: 'Explained variance' }).count()).toBe(1);
      expect(await other.locator('td[data-title="Compute time"]').first().innerText()).toMatch(/s/);
      await other.getByRole('button', { name: 'Show older ones' }).click();
      await expect.poll(listed).toEqual(['again', 'kinds', 'short', 'sweep']);
      await other.goto(`${server.url}/#/?label=mine`);
      await expect.poll(listed).toEqual(['again']);
      await other.getByLabel('SAE label').fill('nobody');
      await other.getByText('Nothing matches').waitFor();
      await other.getByRole('button', { name: 'Clear the filters' }).click();
      await expect.poll(listed).toHaveLength(4);
    } finally {
      await other.close();
    }
  });

  it('shows summary, marked values, sweeps as curves and tables, the whole request', async () => {
    await page.goto(`${server.url}/#/evaluations/${ids['kinds']}`);
    await page.getByRole('heading', { name: 'Summary' }).waitFor();
    const { result } = await client.get(ids['kinds']!);
    expect(await page.locator('.statements li').allInnerTexts()).toEqual(
      result!.summary!.statements.map(({ message }) => message.en),
    );
    await page.locator('figure.chart svg').first().waitFor();
    await picture('evaluation', page);
    // Vanilla is a near-identity: it has the least KL and no mark.
    const strict = page.locator('table.results').first();
    const row = (label: string): ReturnType<Page['locator']> =>
      strict.locator('tr', { has: page.locator('th', { hasText: new RegExp(`^${label}`) }) });
    expect(await row('Vanilla').locator('th').innerText()).toContain('†');
    expect(await row('Vanilla').locator('td.best').count()).toBe(0);
    expect(await row('RandomK').locator('td.best').count()).toBe(0);
    expect(await row('MLSAE').locator('td.best').count()).toBeGreaterThan(0);
    await strict.getByRole('button', { name: 'KL per token' }).click();
    expect(await strict.locator('tbody th').first().innerText()).toContain('Vanilla');

    await page.goto(`${server.url}/#/evaluations/${ids['sweep']}`);
    const sweeps = page.locator('section.card', {
      has: page.getByRole('heading', { name: 'Sweeps' }),
    });
    await sweeps.locator('svg').waitFor();
    expect(await sweeps.locator('tbody th .at').allInnerTexts()).toEqual(['k 4', 'k 8', 'k 16']);
    const request = page.locator('section.card', {
      has: page.getByRole('heading', { name: 'Request', exact: true }),
    });
    expect(await request.locator('.override').innerText()).toMatch(/replaces.*\n?.*4, 8, 16/);
    expect(await page.locator('.notes').innerText()).toBe('try k');
  });

  it('draws the frontier of selected runs; pointing at a dot tells its numbers', async () => {
    await page.goto(`${server.url}/#/`);
    for (const name of ['kinds', 'sweep'])
      await page.locator(`tr[data-id="${ids[name]}"] input`).check();
    await page.getByText('2 selected').waitFor();
    await page.getByRole('button', { name: 'Frontier' }).click();
    await page.getByRole('heading', { name: 'Frontier of 2 runs' }).waitFor();
    const chart = page.locator('figure.chart').first();
    await chart.locator('svg').waitFor();
    expect(await chart.locator('.legend li').allInnerTexts()).toEqual([
      'Run 1 · kinds',
      'Run 2 · sweep',
    ]);
    // The runs are on the same text: a line joins the best of both.
    expect(await chart.locator('[stroke-dasharray="4 4"]').count()).toBe(1);
    expect(await chart.locator('circle').count()).toBe(4 + 3);
    await chart.locator('circle').first().hover({ force: true });
    const tip = chart.locator('[aria-label=tip] text');
    await expect.poll(() => tip.innerHTML()).toMatch(/L0 .*KL per token/s);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      chart.getByRole('button', { name: 'Save as SVG' }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/\.svg$/);
  });

  it('compares runs, marks nothing across runs that differ, and says what differs', async () => {
    await page.goto(`${server.url}/#/compare/${ids['short']},${ids['again']}`);
    await page.getByRole('heading', { name: 'Comparison of 2 runs' }).waitFor();
    const note = page.getByRole('note');
    expect(await note.innerText()).toMatch(/cannot be ranked[^]*Tokens per sample\s+16\s+32/);
    expect(await page.locator('td.best').count()).toBe(0);
    expect(await page.locator('[stroke-dasharray="4 4"]').count()).toBe(0);
    const pairs = page.locator('section.card', { hasText: 'Differences in pairs' });
    await pairs.getByText('cannot be compared in pairs').waitFor();

    await page.goto(`${server.url}/#/compare/${ids['kinds']},${ids['again']}`);
    await page.getByText('are the same in all runs').waitFor();
    await page.locator('figure.chart svg').first().waitFor();
    await picture('comparison', page);
    expect(await page.locator('td.best').count()).toBeGreaterThan(0);
    // SAEs of one label, sequence by sequence.
    const row = pairs.locator('tr', { hasText: 'KL per token' }).first();
    await row.waitFor();
    expect(await row.innerText()).toMatch(/\[.*, .*\]|–/);
    const [report] = await Promise.all([
      context.waitForEvent('page'),
      page.getByRole('button', { name: 'Comparison as HTML, 中文' }).click(),
    ]);
    await report.waitForURL(/^blob:/);
    expect(await report.locator('body').innerText()).toContain('mine');
    await report.close();
  });

  it('asks before it cancels; what was done can be kept', async () => {
    const slow = smallRequest({ dataset: { ...dataset, maxSamples: 4000, seqLen: 64 } });
    const first = await client.evaluate(slow);
    const waiting = await client.evaluate({ ...slow, seed: 1 });
    await page.goto(`${server.url}/#/evaluations/${waiting.id}`);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByText('there are no numbers to keep').waitFor();
    await page.getByRole('button', { name: 'Go on' }).click();
    expect((await client.get(waiting.id)).status).toBe('queued');
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel the evaluation' }).click();
    await page.locator('.pill.cancelled').waitFor();
    // The button that had the keyboard is gone: the heading has it.
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('H1');

    await page.goto(`${server.url}/#/evaluations/${first.id}`);
    await page.getByRole('region', { name: 'numbers so far' }).first().waitFor();
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('button', { name: 'Stop and keep what was done' }).click();
    await page.locator('.pill.cancelled').waitFor();
    await page.getByText(/Stopped after \d+ of [\d,]+ samples/).waitFor();
    await page.reload();
    await page.getByText(/Stopped after \d+ of [\d,]+ samples/).waitFor();
    expect(await page.getByRole('rowheader', { name: 'TopK' }).count()).toBeGreaterThan(0);
    await page.goto(`${server.url}/#/?status=cancelled`);
    await page.locator(`tr[data-id="${first.id}"] input:not([disabled])`).waitFor();
  });

  it('asks nothing of other servers and has no faults', () => {
    expect(watched).toEqual({ outside: [], faults: [] });
  });
});
