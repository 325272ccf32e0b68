/**
 * The page, driven in a real browser: submit, watch, cancel, report, compare; keyboard, phone, no
 * outside requests.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKey, type RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import type { EvaluationEvent } from '#src/schema/index.js';
import { packageRoot, serve, smallRequest, temporaryFolder, untilReady } from '../harness.js';

const executable = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => existsSync(path));
/** Folder that gets pictures of the page, for the documentation. */
const pictures = process.env['SAE_EVAL_PICTURES'];
if (executable === undefined)
  console.warn('The page is not tested: there is no Chromium (Debian: apt-get install chromium).');

/** Runs in the browser: what a screen reader could not make sense of. */
function accessibilityFaults(): string[] {
  const faults: string[] = [];
  const isShown = (node: Element): boolean => node.checkVisibility();
  const textOf = (ids: string | null): string =>
    (ids ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent ?? '')
      .join(' ')
      .trim();
  const nameOf = (node: Element): string => {
    const labels = [...((node as HTMLInputElement).labels ?? [])]
      .map((label) => label.textContent ?? '')
      .join(' ');
    return (
      (node.getAttribute('aria-label') ?? '').trim() ||
      textOf(node.getAttribute('aria-labelledby')) ||
      labels.trim() ||
      (node.matches('a, button, summary') ? (node.textContent ?? '').trim() : '')
    );
  };
  const tag = (node: Element): string => node.outerHTML.slice(0, 120);
  for (const node of document.querySelectorAll(
    'a, button, summary, input, select, textarea, progress, [role=region], [role=img], dialog, nav',
  ))
    if (isShown(node) && nameOf(node) === '') faults.push(`has no name: ${tag(node)}`);
  for (const image of document.querySelectorAll('img:not([alt])'))
    faults.push(`has no alt: ${tag(image)}`);
  for (const chart of document.querySelectorAll('svg'))
    if (isShown(chart) && chart.getAttribute('aria-hidden') !== 'true' && nameOf(chart) === '')
      faults.push(`has no name: ${tag(chart)}`);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids.filter((one, index) => ids.indexOf(one) !== index))
    faults.push(`id twice: ${id}`);
  for (const node of document.querySelectorAll(
    '[aria-labelledby], [aria-describedby], label[for]',
  )) {
    for (const id of (
      `${node.getAttribute('aria-labelledby') ?? ''} ` +
      `${node.getAttribute('aria-describedby') ?? ''} ${node.getAttribute('for') ?? ''}`
    )
      .split(' ')
      .filter((one) => one !== ''))
      if (document.getElementById(id) === null)
        faults.push(`names ${id}, which is not there: ${tag(node)}`);
  }
  let level = 0;
  for (const heading of [...document.querySelectorAll('h1, h2, h3, h4')].filter(isShown)) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push(`skips a level: ${tag(heading)}`);
    level = own;
  }
  if ([...document.querySelectorAll('h1')].filter(isShown).length !== 1)
    faults.push('has not one h1');
  if (document.querySelectorAll('main').length !== 1) faults.push('has not one main');
  if (document.documentElement.lang === '') faults.push('has no language');
  for (const cell of document.querySelectorAll('th:not([scope])'))
    faults.push(`has no scope: ${tag(cell)}`);
  for (const table of document.querySelectorAll('table'))
    if (isShown(table) && table.caption === null) faults.push(`has no caption: ${tag(table)}`);
  return faults;
}

describe.skipIf(executable === undefined)('the page', () => {
  const folder = temporaryFolder();
  let texts: string;
  let server: RunningServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let client: SaeEvalClient;
  const outside: string[] = [];
  const faults: string[] = [];

  beforeAll(async () => {
    texts = join(folder.path, 'texts');
    mkdirSync(texts);
    server = await serve(folder.path, { roots: [packageRoot, texts] });
    client = new SaeEvalClient(server.url);
    await untilReady(server.url);
    browser = await chromium.launch({
      executablePath: executable!,
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
    context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
    page = await context.newPage();
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url) && !request.url().startsWith('blob:'))
        outside.push(request.url());
    });
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (
        message.type() === 'error' &&
        !message.text().includes('the server responded with a status of 4')
      )
        faults.push(message.text());
    });
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    folder.remove();
  });

  async function picture(name: string, target: Page = page): Promise<void> {
    if (pictures === undefined) return;
    mkdirSync(pictures, { recursive: true });
    await target.screenshot({ path: join(pictures, `page-${name}.png`), fullPage: true });
  }

  it('is empty at first and leads to the form', async () => {
    await page.goto(server.url);
    await page.getByText('No evaluations yet').waitFor();
    await page.getByRole('link', { name: 'Submit the first one' }).click();
    await page.getByRole('heading', { name: 'New evaluation' }).waitFor();
  });

  it('submits an evaluation, shows its progress, numbers and reports', async () => {
    await page.goto(`${server.url}/#/new`);
    await page.getByLabel('Language model').selectOption('checkpoints/tiny-llama');
    await page.getByLabel('Text', { exact: true }).selectOption('checkpoints/eval');
    await page.getByLabel('Samples, at most').fill('24');
    await page.getByLabel('Tokens per sample').fill('64');
    await page.getByLabel('Batch size').fill('4');
    await page.getByLabel('Checkpoint').selectOption('checkpoints/TopK_tiny.pt');
    await page.getByLabel('Layer').fill('16');
    await page.getByLabel('k (required)', { exact: true }).fill('16');
    await page.getByRole('button', { name: 'Add an SAE' }).click();
    await page.getByLabel('Checkpoint').nth(1).selectOption('checkpoints/RouteSAE_tiny.pt');
    expect(await page.getByLabel('Routing', { exact: true }).count()).toBe(1);
    await page.getByLabel('k (required)', { exact: true }).nth(1).fill('16');
    await picture('form');
    await page.getByRole('button', { name: 'Submit evaluation' }).click();
    await page.getByRole('heading', { name: 'TopK, RouteSAE on tiny-llama' }).waitFor();
    await page.getByText('Samples', { exact: true }).first().waitFor();
    await page.locator('.pill.succeeded').waitFor({ timeout: 60_000 });
    expect(await page.getByRole('rowheader').allInnerTexts()).toEqual([
      expect.stringContaining('TopK'),
      expect.stringContaining('RouteSAE'),
    ]);
    expect(await page.locator('svg.chart').first().getAttribute('aria-label')).toContain(
      'RouteSAE',
    );
    await picture('evaluation');
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

  it('marks the fields that are wrong', async () => {
    await page.goto(`${server.url}/#/new`);
    await page.reload();
    await page.getByLabel('Checkpoint').selectOption('checkpoints/TopK_tiny.pt');
    const layer = page.getByLabel('Layer');
    await page.getByRole('button', { name: 'Submit evaluation' }).click();
    await page.getByText('must be given').first().waitFor();
    expect(await layer.getAttribute('aria-invalid')).toBe('true');
    await layer.fill('17');
    await page.getByLabel('k (required)', { exact: true }).fill('16');
    await page.getByRole('button', { name: 'Submit evaluation' }).click();
    await page.getByText('expected 1…16').waitFor();
    expect(await layer.getAttribute('aria-invalid')).toBe('true');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-path'))).toBe(
      'saes[0].layer',
    );
  });

  it('shows live progress in the list, and cancels', async () => {
    const { id } = await client.evaluate(
      smallRequest({
        dataset: { path: 'checkpoints/eval', maxSamples: 2000, seqLen: 128 },
        batchSize: 8,
      }),
    );
    await page.goto(`${server.url}/#/`);
    await page.locator(`tr[data-id="${id}"] progress`).waitFor();
    await picture('list');
    await page.locator(`tr[data-id="${id}"] a`).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('.pill.cancelled').waitFor();
  });

  it(
    'shows the place in the queue and follows it; a redrawn table stays where it was ' +
      'scrolled to',
    async () => {
      const slow = smallRequest({
        dataset: { path: 'checkpoints/eval', maxSamples: 2000, seqLen: 128 },
        batchSize: 4,
      });
      const running = await client.evaluate(slow);
      const [first, second] = [
        await client.evaluate({ ...slow, seed: 1 }),
        await client.evaluate({ ...slow, seed: 2 }),
      ];
      await page.goto(`${server.url}/#/evaluations/${second.id}`);
      const place = page.locator('dt', { hasText: 'Place in the queue' }).locator('+ dd');
      await expect.poll(() => place.innerText()).toBe('2');
      await client.cancel(first.id);
      await expect.poll(() => place.innerText(), { timeout: 10_000 }).toBe('1');
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.locator('.pill.cancelled').waitFor();
      // The button that had the keyboard is gone: the heading has it.
      expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1');

      const phone = await browser.newContext({ viewport: { width: 375, height: 740 } });
      try {
        const view = await phone.newPage();
        await view.goto(`${server.url}/#/evaluations/${running.id}`);
        const region = view.getByRole('region', { name: 'Numbers so far' });
        await region.waitFor({ timeout: 30_000 });
        await picture('phone-evaluation', view);
        // In one step each: what a locator has found may be redrawn before it is used.
        const before = await view.evaluateHandle(() => {
          const node = document.querySelector<HTMLElement>(
            '[role=region][aria-label^="Numbers so far"]',
          )!;
          node.scrollLeft = 150;
          node.focus();
          return node;
        });
        await view.waitForFunction((node) => !node.isConnected, before, { timeout: 30_000 });
        expect(
          await view.evaluate(() => [
            document.activeElement?.getAttribute('role'),
            document.activeElement?.scrollLeft,
          ]),
        ).toEqual(['region', 150]);
      } finally {
        await phone.close();
        await client.cancel(running.id);
      }
    },
  );

  it('says that the server is away while it is, and goes on by itself', async () => {
    const other = temporaryFolder();
    let its = await serve(other.path);
    const port = Number(new URL(its.url).port);
    const view = await context.newPage();
    try {
      await untilReady(its.url);
      const { id } = await new SaeEvalClient(its.url).evaluate(
        smallRequest({
          dataset: { path: 'checkpoints/eval', maxSamples: 200, seqLen: 128 },
          batchSize: 8,
        }),
      );
      await view.goto(`${its.url}/#/evaluations/${id}`);
      await view.getByRole('progressbar').waitFor();
      await its.close();
      await view.getByRole('status').filter({ hasText: 'cannot be reached' }).waitFor();
      its = await serve(other.path, { port });
      await view.locator('.pill.succeeded').waitFor({ timeout: 60_000 });
      expect(await view.getByText('cannot be reached').isVisible()).toBe(false);
    } finally {
      await view.close();
      await its.close();
      other.remove();
    }
  });

  it('compares selected runs', async () => {
    await client.evaluate(
      smallRequest({ saes: [{ kind: 'RandomK', checkpoint: 'checkpoints/TopK_tiny.pt', k: 16 }] }),
      { wait: true },
    );
    await page.goto(`${server.url}/#/`);
    const boxes = page.locator('tbody input[type=checkbox]:not([disabled])');
    await boxes.nth(1).waitFor();
    await boxes.nth(0).check();
    await boxes.nth(1).check();
    await page.getByRole('button', { name: 'Compare 2' }).click();
    await page.getByRole('heading', { name: 'Comparison of 2 runs' }).waitFor();
    expect(await page.getByRole('rowheader').count()).toBe(3);
    await picture('comparison');
    const [report] = await Promise.all([
      context.waitForEvent('page'),
      page.getByRole('button', { name: 'Comparison as HTML, 中文' }).click(),
    ]);
    await report.waitForURL(/^blob:/);
    expect(await report.locator('body').innerText()).toContain('RandomK');
    await report.close();
  });

  it('shows which records were left out, while it runs and after, as text', async () => {
    const broken = '{"text": <img src=x onerror="document.title=1">}';
    writeFileSync(
      join(texts, 'losses.jsonl'),
      [broken, broken, ...Array.from({ length: 6 }, (_, n) => `{"text": "record ${n}"}`)].join(
        '\n',
      ),
    );
    const live: EvaluationEvent[] = [];
    const { id } = await client.evaluate(
      smallRequest({ dataset: { path: 'losses.jsonl', seqLen: 16 } }),
      { wait: true, onEvent: (event) => live.push(event) },
    );
    const told = live.flatMap(({ event, data }) =>
      event === 'progress' && data.progress !== null ? [data.progress.skipped] : [],
    );
    expect(told).toContainEqual([
      {
        reason: 'not-json',
        count: 2,
        first: { file: 'losses.jsonl', unit: 'line', number: 1, excerpt: broken },
        en: 'not JSON',
        zh: '不是 JSON',
      },
    ]);
    await page.goto(`${server.url}/#/evaluations/${id}`);
    await page.getByText('2 of 8 records were skipped').waitFor();
    const card = page.locator('section.card', { has: page.locator('table.losses') });
    expect(await card.innerText()).toMatch(/not JSON\s+2\s+losses\.jsonl, line 1/);
    expect(await card.innerText()).toContain(broken);
    expect(await page.locator('main img').count()).toBe(0);
  });

  it('never shows what users typed as markup', async () => {
    const label = '<img src=x onerror="document.title=1">';
    const { id } = await client.evaluate(
      smallRequest({
        saes: [{ kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16, label }],
      }),
      { wait: true },
    );
    await page.goto(`${server.url}/#/evaluations/${id}`);
    await page.getByRole('rowheader', { name: label }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    await page.goto(`${server.url}/v1/evaluations/${id}/report?format=html`);
    expect(await page.locator('img[src=x]').count()).toBe(0);
  });

  it(
    'names everything for screen readers, in order, and fits 360 pixels on every view',
    { timeout: 60_000 },
    async () => {
      const { items } = await client.list({ status: 'succeeded', limit: 2 });
      const ids = items.map(({ id }) => id);
      expect(ids).toHaveLength(2);
      const small = await browser.newContext({ viewport: { width: 360, height: 740 } });
      try {
        const view = await small.newPage();
        for (const path of [
          '#/',
          '#/new',
          `#/evaluations/${ids[0]}`,
          `#/compare/${ids.join(',')}`,
        ]) {
          await view.goto(`${server.url}/${path}`);
          await view.reload();
          await view.getByRole('heading', { level: 1 }).waitFor();
          await view.waitForLoadState('networkidle');
          expect({
            path,
            width: await view.evaluate(() => document.documentElement.scrollWidth),
          }).toEqual({ path, width: 360 });
          expect({ path, wrong: await view.evaluate(accessibilityFaults) }).toEqual({
            path,
            wrong: [],
          });
          // The order of the keyboard is the order of the document, and where it is can be seen.
          const places: number[] = [];
          for (let step = 0; step < 12; step++) {
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
            expect(visible).toBe(true);
            if (place < (places.at(-1) ?? 0)) break;
            places.push(place);
          }
          expect(places.length).toBeGreaterThan(3);
        }
        await view.goto(`${server.url}/#/`);
        await view.getByRole('heading', { name: 'Evaluations' }).waitFor();
        await view.getByRole('link', { name: 'New evaluation' }).focus();
        await view.keyboard.press('Enter');
        await view.getByRole('heading', { name: 'New evaluation' }).waitFor();
      } finally {
        await small.close();
      }
    },
  );

  it('works by keyboard, on a phone and in the dark', async () => {
    await page.goto(`${server.url}/#/`);
    await page.getByRole('heading', { name: 'Evaluations' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
    const phone = await browser.newContext({
      viewport: { width: 375, height: 740 },
      colorScheme: 'dark',
    });
    const small = await phone.newPage();
    for (const path of ['#/', '#/new']) {
      await small.goto(`${server.url}/${path}`);
      await small.getByRole('heading', { level: 1 }).waitFor();
      await small.waitForLoadState('networkidle');
      expect(await small.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
        375,
      );
      expect(
        await small.evaluate(() => getComputedStyle(document.documentElement).backgroundColor),
      ).toBe('rgb(20, 24, 29)');
    }
    await phone.close();
  });

  it('asks nothing of other servers and has no faults', () => {
    expect(outside).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('asks for the API key where one is needed', async () => {
    const other = temporaryFolder();
    const file = join(other.path, 'keys.json');
    const key = addKey({ file, label: 'page' });
    const locked = await serve(other.path, { apiKeys: file, roots: [packageRoot] });
    const fresh = await browser.newContext();
    try {
      const tab = await fresh.newPage();
      await tab.goto(locked.url);
      await tab.getByLabel('Key', { exact: true }).waitFor();
      await tab.keyboard.press('Escape');
      await tab.getByRole('alert').filter({ hasText: 'API key' }).waitFor();
      await tab.getByRole('button', { name: 'API key' }).click();
      await tab.getByLabel('Key', { exact: true }).fill('wrong');
      await tab.getByRole('button', { name: 'Continue' }).click();
      await tab.getByText('does not know this key').waitFor();
      await tab.getByLabel('Key', { exact: true }).fill(key);
      await tab.getByRole('button', { name: 'Continue' }).click();
      await tab.getByText('No evaluations yet').waitFor();
      const [description] = await Promise.all([
        fresh.waitForEvent('page'),
        tab.getByRole('link', { name: 'API', exact: true }).click(),
      ]);
      await description.waitForURL(/^blob:/);
      expect(await description.locator('body').innerText()).toContain('"openapi": "3.1.0"');
      await description.close();
      // A report in a tab of its own, with the key: its buttons work.
      await untilReady(locked.url);
      const { id } = await new SaeEvalClient(locked.url, { apiKey: key }).evaluate(smallRequest(), {
        wait: true,
      });
      await tab.goto(`${locked.url}/#/evaluations/${id}`);
      const [report] = await Promise.all([
        fresh.waitForEvent('page'),
        tab.getByRole('link', { name: 'Report as HTML, English' }).click(),
      ]);
      await report.waitForURL(/^blob:/);
      expect(await report.locator('html').getAttribute('data-lang')).toBe('en');
      await report.locator('button[data-lang="zh-CN"]').click();
      expect(await report.locator('html').getAttribute('data-lang')).toBe('zh-CN');
      await report.locator('button[data-theme]').click();
      expect(await report.locator('html').getAttribute('data-theme')).toBe('dark');
    } finally {
      await fresh.close();
      await locked.close();
      other.remove();
    }
  });
});
