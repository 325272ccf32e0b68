/** The page, driven in a real browser: submit, watch, cancel, report, compare; keyboard, phone, no outside requests. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKey, type RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import { packageRoot, serve, smallRequest, temporaryFolder, untilReady } from './harness.js';

const executable = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
const pictures = process.env['SAE_EVAL_PICTURES'];
if (executable === undefined) console.warn('The page is not tested: there is no Chromium (Debian: apt-get install chromium).');

describe.skipIf(executable === undefined)('the page', () => {
  const folder = temporaryFolder();
  let server: RunningServer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let client: SaeEvalClient;
  const outside: string[] = [];
  const faults: string[] = [];

  beforeAll(async () => {
    server = await serve(folder.path);
    client = new SaeEvalClient(server.url);
    await untilReady(server.url);
    browser = await chromium.launch({ executablePath: executable!, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
    page = await context.newPage();
    page.on('request', (request) => { if (!request.url().startsWith(server.url) && !request.url().startsWith('blob:')) outside.push(request.url()); });
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => { if (message.type() === 'error' && !message.text().includes('the server responded with a status of 4')) faults.push(message.text()); });
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    folder.remove();
  });

  async function picture(name: string, target: Page = page): Promise<void> {
    if (pictures === undefined) return;
    mkdirSync(pictures, { recursive: true });
    await target.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
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
    await page.getByRole('button', { name: 'Add an SAE' }).click();
    await page.getByLabel('Checkpoint').nth(1).selectOption('checkpoints/RouteSAE_tiny.pt');
    expect(await page.getByLabel('Routing', { exact: true }).count()).toBe(1);
    await picture('form');
    await page.getByRole('button', { name: 'Submit evaluation' }).click();
    await page.getByRole('heading', { name: 'TopK, RouteSAE on tiny-llama' }).waitFor();
    await page.getByText('Samples', { exact: true }).first().waitFor();
    await page.locator('.pill.succeeded').waitFor({ timeout: 60_000 });
    expect(await page.getByRole('rowheader').allInnerTexts()).toEqual([expect.stringContaining('TopK'), expect.stringContaining('RouteSAE')]);
    expect(await page.locator('svg.chart').first().getAttribute('aria-label')).toContain('RouteSAE');
    await picture('evaluation');
    for (const [language, lang] of [['English', 'en'], ['中文', 'zh']] as const) {
      const [report] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: `Report as HTML, ${language}` }).click()]);
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
    await page.getByLabel('Layer', { exact: true }).fill('17');
    await page.getByRole('button', { name: 'Submit evaluation' }).click();
    await page.getByText('expected 1…16').waitFor();
    expect(await page.getByLabel('Layer', { exact: true }).getAttribute('aria-invalid')).toBe('true');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-path'))).toBe('saes[0].layer');
  });

  it('shows live progress in the list, and cancels', async () => {
    const { id } = await client.evaluate(smallRequest({ dataset: { path: 'checkpoints/eval', maxSamples: 2000, seqLen: 128 }, batchSize: 8 }));
    await page.goto(`${server.url}/#/`);
    await page.locator(`tr[data-id="${id}"] progress`).waitFor();
    await picture('list');
    await page.locator(`tr[data-id="${id}"] a`).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('.pill.cancelled').waitFor();
  });

  it('compares selected runs', async () => {
    await client.evaluate(smallRequest({ saes: [{ kind: 'RandomK', checkpoint: 'checkpoints/TopK_tiny.pt', k: 16 }] }), { wait: true });
    await page.goto(`${server.url}/#/`);
    const boxes = page.locator('tbody input[type=checkbox]:not([disabled])');
    await boxes.nth(1).waitFor();
    await boxes.nth(0).check();
    await boxes.nth(1).check();
    await page.getByRole('button', { name: 'Compare 2' }).click();
    await page.getByRole('heading', { name: 'Comparison of 2 runs' }).waitFor();
    expect(await page.getByRole('rowheader').count()).toBe(3);
    await picture('comparison');
    const [report] = await Promise.all([context.waitForEvent('page'), page.getByRole('button', { name: 'Comparison as HTML, 中文' }).click()]);
    await report.waitForURL(/^blob:/);
    expect(await report.locator('body').innerText()).toContain('RandomK');
    await report.close();
  });

  it('never shows what users typed as markup', async () => {
    const label = '<img src=x onerror="document.title=1">';
    const { id } = await client.evaluate(smallRequest({ saes: [{ kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16, label }] }), { wait: true });
    await page.goto(`${server.url}/#/evaluations/${id}`);
    await page.getByRole('rowheader', { name: label }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    await page.goto(`${server.url}/v1/evaluations/${id}/report?format=html`);
    expect(await page.locator('img[src=x]').count()).toBe(0);
  });

  it('works by keyboard, on a phone and in the dark', async () => {
    await page.goto(`${server.url}/#/`);
    await page.getByRole('heading', { name: 'Evaluations' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
    const phone = await browser.newContext({ viewport: { width: 375, height: 740 }, colorScheme: 'dark' });
    const small = await phone.newPage();
    for (const [name, path] of [['phone-list', '#/'], ['phone-form', '#/new']] as const) {
      await small.goto(`${server.url}/${path}`);
      await small.getByRole('heading', { level: 1 }).waitFor();
      await small.waitForLoadState('networkidle');
      expect(await small.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
      expect(await small.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).toBe('rgb(20, 24, 29)');
      await picture(name, small);
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
      await tab.getByLabel('Key', { exact: true }).fill('wrong');
      await tab.getByRole('button', { name: 'Continue' }).click();
      await tab.getByText('does not know this key').waitFor();
      await tab.getByLabel('Key', { exact: true }).fill(key);
      await tab.getByRole('button', { name: 'Continue' }).click();
      await tab.getByText('No evaluations yet').waitFor();
    } finally {
      await fresh.close();
      await locked.close();
      other.remove();
    }
  });
});
