/**
 * The page as a whole, in a real browser: live progress, reports, languages, keys, a server that is
 * away, a path of its own behind a proxy; screen readers, keyboard, phone, dark.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKey, type RunningServer, type ServerOptions } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import { serve, shippedRoot, smallRequest, temporaryFolder, untilReady } from '../harness.js';
import { executable, launch } from '../../browser.js';
import { accessibilityFaults, picture, watch, type Watched } from './watched-page.js';

const slow = smallRequest({
  dataset: { path: 'checkpoints/eval', maxSamples: 2000, seqLen: 128 },
  batchSize: 4,
});

describe.skipIf(executable === undefined)('the page', () => {
  const folder = temporaryFolder();
  let texts: string;
  let options: ServerOptions;
  let root: string;
  let server: RunningServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let client: SaeEvalClient;
  let watched: Watched;

  beforeAll(async () => {
    texts = join(folder.path, 'texts');
    mkdirSync(texts);
    root = shippedRoot(folder.path);
    options = { roots: [root, texts], basePath: '/lab/saes' };
    server = await serve(folder.path, options);
    client = new SaeEvalClient(server.url);
    await untilReady(server.url);
    browser = await launch();
    context = await browser.newContext({
      viewport: { width: 1200, height: 900 },
      locale: 'en-US',
    });
    page = await context.newPage();
    watched = watch(page, server.url);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    folder.remove();
  });

  it('is empty at first and leads to the form, which submits and shows reports', async () => {
    await page.goto(server.url);
    await page.getByText('No evaluations yet').waitFor();
    await page.getByRole('link', { name: 'Submit the first one' }).click();
    await page.getByRole('heading', { name: 'New evaluation' }).waitFor();
    await page.getByLabel('Language model').fill('checkpoints/tiny-llama');
    await page.getByLabel('Text (required)').fill('checkpoints/eval');
    await page.getByLabel('Samples, at most').fill('8');
    await page.getByLabel('Tokens per sample').fill('16');
    await page.getByLabel('Checkpoint').fill('checkpoints/RouteSAE_tiny.pt');
    await page.getByText('routed layers').or(page.getByText('latents')).first().waitFor();
    await page.locator('[data-path="saes[0].k"]').fill('16');
    await page.getByText('2 more fields', { exact: true }).last().click();
    await page.getByRole('button', { name: 'Submit evaluation' }).click();
    await page.getByRole('heading', { name: 'RouteSAE on tiny-llama' }).waitFor();
    await page.locator('.pill.succeeded').waitFor({ timeout: 60_000 });
    await page.locator('figure.chart svg').first().waitFor();
    for (const [language, lang] of [
      ['English', 'en'],
      ['中文', 'zh'],
    ] as const) {
      const [report] = await Promise.all([
        context.waitForEvent('page'),
        page.getByRole('link', { name: `Report as HTML, ${language}` }).click(),
      ]);
      await report.waitForLoadState();
      expect(await report.locator('html').getAttribute('lang')).toMatch(new RegExp(`^${lang}`));
      expect(await report.locator('body').innerText()).toContain('RouteSAE');
      await report.close();
    }
  });

  it('speaks the language of the browser, or the chosen one, which it remembers', async () => {
    const chinese = await browser.newContext({ locale: 'zh-CN' });
    try {
      const view = await chinese.newPage();
      const seen = watch(view, server.url);
      await view.goto(server.url);
      await view.getByRole('heading', { name: '评估', exact: true }).waitFor();
      expect(await view.locator('html').getAttribute('lang')).toBe('zh-CN');
      expect(await view.title()).toBe('评估 · sae-eval');
      await view.getByRole('columnheader', { name: '每词元 KL' }).waitFor();
      await view.locator('.what > a').click();
      await view.getByRole('heading', { name: '结论与建议' }).waitFor();
      const { result } = await client.get(view.url().split('/').at(-1)!);
      expect(await view.locator('.statements li').first().innerText()).toBe(
        result!.summary!.statements[0]!.message.zh,
      );
      // Nothing of the page's own words stays English.
      const words = (await view.locator('h2, h3, dt, button, summary, caption').allInnerTexts())
        .join('\n')
        .replaceAll(
          /RouteSAE|English|API|HTML|Markdown|SAE|SVG|JSON|CSV|BOS|dtype|strict|reference/g,
          '',
        )
        .replaceAll(/NormMSE|KL|CE|L0|k|checkpoints\/\S+/g, '');
      expect(words.match(/[A-Za-z]{2,}/g) ?? []).toEqual([]);
      await view.getByRole('button', { name: 'English' }).click();
      await view.getByRole('heading', { name: 'Summary' }).waitFor();
      expect(await view.locator('html').getAttribute('lang')).toBe('en');
      await view.reload();
      await view.getByRole('heading', { name: 'Summary' }).waitFor();
      expect(seen).toEqual({ outside: [], faults: [] });
    } finally {
      await chinese.close();
    }
  });

  it('follows progress and the place in the queue; a redrawn table stays in place', async () => {
    const running = await client.evaluate(slow);
    const first = await client.evaluate({ ...slow, seed: 1 });
    const second = await client.evaluate({ ...slow, seed: 2 });
    await page.goto(`${server.url}/#/`);
    await page.locator(`tr[data-id="${running.id}"] progress`).waitFor();
    await page.locator(`tr[data-id="${second.id}"] a`).click();
    const place = page.locator('dt', { hasText: 'Place in the queue' }).locator('+ dd');
    await expect.poll(() => place.innerText()).toBe('2');
    await client.cancel(first.id);
    await expect.poll(() => place.innerText(), { timeout: 10_000 }).toBe('1');
    await client.cancel(second.id);
    await page.locator('.pill.cancelled').waitFor();

    const phone = await browser.newContext({ viewport: { width: 375, height: 740 } });
    try {
      const view = await phone.newPage();
      await view.goto(`${server.url}/#/evaluations/${running.id}`);
      const region = view.getByRole('region', { name: 'numbers so far' }).first();
      await region.waitFor({ timeout: 30_000 });
      await picture('phone-evaluation', view);
      await region.evaluate((node) => {
        node.scrollLeft = 150;
        node.focus();
      });
      const samples = view.locator('dt', { hasText: 'Samples' }).first().locator('+ dd');
      const before = await samples.innerText();
      await expect.poll(() => samples.innerText(), { timeout: 30_000 }).not.toBe(before);
      expect(
        await view.evaluate(() => [
          document.activeElement?.getAttribute('role'),
          document.activeElement?.scrollLeft,
        ]),
      ).toEqual(['region', 150]);
      expect(await view.locator('.beyond').first().innerText()).toMatch(/more columns? →/);
    } finally {
      await phone.close();
      await client.cancel(running.id);
    }
  });

  it('says that the server is away while it is, and goes on by itself', async () => {
    expect(watched.faults).toEqual([]);
    const { id } = await client.evaluate({ ...slow, seed: 3 });
    const port = Number(new URL(server.url).port);
    await page.goto(`${server.url}/#/evaluations/${id}`);
    await page.getByRole('progressbar').waitFor();
    await server.close();
    await page.getByRole('status').filter({ hasText: 'cannot be reached' }).waitFor();
    server = await serve(folder.path, { ...options, port });
    await page.getByText('cannot be reached').waitFor({ state: 'hidden' });
    await client.cancel(id);
    await page.locator('.pill.cancelled').waitFor();
    // What the browser says of the lost connection is no fault of the page.
    watched.faults.splice(0);
  });

  it('shows which records were left out, and never what users typed as markup', async () => {
    const markup = '<img src=x onerror="document.title=1">';
    const broken = `{"text": ${markup}}`;
    const records = Array.from({ length: 6 }, (_, n) => `{"text": "record ${n}"}`);
    writeFileSync(join(texts, 'losses.jsonl'), [broken, broken, ...records].join('\n'));
    const { id } = await client.evaluate(
      smallRequest({
        dataset: { path: 'losses.jsonl', seqLen: 16 },
        saes: [
          { kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16, label: markup },
        ],
        name: markup,
        tags: [markup],
        notes: markup,
        metadata: { markup },
      }),
      { wait: true },
    );
    await page.goto(`${server.url}/#/evaluations/${id}`);
    await page.getByText('2 of 8 records were skipped').waitFor();
    const card = page.locator('section.card', { has: page.locator('table.losses') });
    expect(await card.innerText()).toMatch(/not JSON\s+2\s+losses\.jsonl, line 1/);
    expect(await card.innerText()).toContain(broken);
    await page.getByRole('rowheader', { name: markup }).first().waitFor();
    await page.getByRole('heading', { name: markup }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    await page.goto(`${server.url}/#/`);
    await page.getByRole('link', { name: markup }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
  });

  it(
    'names everything for screen readers, in order, and fits 360 pixels on every view, dark too',
    { timeout: 60_000 },
    async () => {
      const { items } = await client.list({ status: 'succeeded', limit: 2 });
      const ids = items.map(({ id }) => id);
      expect(ids).toHaveLength(2);
      const small = await browser.newContext({
        viewport: { width: 360, height: 740 },
        colorScheme: 'dark',
      });
      try {
        const view = await small.newPage();
        await view.goto(server.url);
        for (const path of [
          '#/',
          '#/new',
          `#/new?from=${ids[0]}`,
          `#/evaluations/${ids[0]}`,
          `#/compare/${ids.join(',')}`,
          `#/frontier/${ids.join(',')}`,
        ]) {
          await view.goto(`${server.url}/${path}`);
          await view.getByRole('heading', { level: 1 }).waitFor();
          await view.waitForLoadState('networkidle');
          if (/evaluations|compare/.test(path)) await view.locator('svg').first().waitFor();
          const width = await view.evaluate(() => document.documentElement.scrollWidth);
          const wrong = await view.evaluate(accessibilityFaults);
          expect({ path, width, wrong }).toEqual({ path, width: 360, wrong: [] });
          // The order of the keyboard is the order of the document, and where it is can be seen.
          await view.evaluate(() => {
            (document.activeElement as HTMLElement | null)?.blur();
            getSelection()?.collapse(document.body, 0);
          });
          const places: number[] = [];
          for (let step = 0; step < 10; step++) {
            await view.keyboard.press('Tab');
            const { place, visible } = await view.evaluate(() => {
              const active = document.activeElement!;
              const { outlineStyle, boxShadow } = getComputedStyle(active);
              return {
                place: [...document.querySelectorAll('*')].indexOf(active),
                visible:
                  active === document.body || outlineStyle !== 'none' || boxShadow !== 'none',
              };
            });
            expect({ path, visible }).toEqual({ path, visible: true });
            if (place < (places.at(-1) ?? 0)) break;
            places.push(place);
          }
          expect(places.length).toBeGreaterThan(3);
        }
        const ground = (): Promise<string> =>
          view.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
        expect(await ground()).toBe('rgb(20, 24, 29)');
        await view.goto(`${server.url}/#/`);
        await view.reload();
        await view.getByRole('heading', { name: 'Evaluations' }).waitFor();
        await view.keyboard.press('Tab');
        expect(await view.evaluate(() => document.activeElement?.textContent)).toBe(
          'Skip to content',
        );
        await view.getByRole('link', { name: 'New evaluation' }).focus();
        await view.keyboard.press('Enter');
        await view.getByRole('heading', { name: 'New evaluation' }).waitFor();
      } finally {
        await small.close();
      }
    },
  );

  it('asks nothing of other servers and of no path but its own, and has no faults', () => {
    expect(server.url).toMatch(/\/lab\/saes$/);
    expect(watched).toEqual({ outside: [], faults: [] });
  });

  it('asks for the API key where one is needed', async () => {
    const { items } = await client.list({ status: 'succeeded', limit: 1 });
    await server.close();
    const file = join(folder.path, 'keys.json');
    const key = addKey({ file, label: 'page', role: 'admin' });
    server = await serve(folder.path, { apiKeys: file, roots: [root] });
    const fresh = await browser.newContext({ locale: 'en-US' });
    try {
      const tab = await fresh.newPage();
      await tab.goto(server.url);
      await tab.getByLabel('Key', { exact: true }).waitFor();
      await tab.keyboard.press('Escape');
      await tab.getByRole('alert').filter({ hasText: 'API key' }).first().waitFor();
      await tab.getByRole('button', { name: 'API key' }).click();
      await tab.getByLabel('Key', { exact: true }).fill('wrong');
      await tab.getByRole('button', { name: 'Continue' }).click();
      await tab.getByText('does not know this key').waitFor();
      await tab.getByLabel('Key', { exact: true }).fill(key);
      await tab.getByRole('button', { name: 'Continue' }).click();
      await tab.locator('.what > a').first().waitFor();
      const [description] = await Promise.all([
        fresh.waitForEvent('page'),
        tab.getByRole('link', { name: 'API', exact: true }).click(),
      ]);
      await description.waitForURL(/^blob:/);
      expect(await description.locator('body').innerText()).toContain('"openapi": "3.1.0"');
      await description.close();
      // A report in a tab of its own, with the key: its script runs.
      await tab.goto(`${server.url}/#/evaluations/${items[0]!.id}`);
      const [report] = await Promise.all([
        fresh.waitForEvent('page'),
        tab.getByRole('link', { name: 'Report as HTML, English' }).click(),
      ]);
      await report.waitForURL(/^blob:/);
      expect(await report.locator('html').getAttribute('data-lang')).toBe('en');
      await report.locator('button[data-lang="zh-CN"]').click();
      expect(await report.locator('html').getAttribute('data-lang')).toBe('zh-CN');
    } finally {
      await fresh.close();
    }
  });
});
