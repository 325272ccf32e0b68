/** The latents of an evaluation: the HTTP interface, the client, and the page in a real browser. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { readLatents } from '#src/evaluation/latents/read-latents.js';
import { NotFoundError, SaeEvalClient, type Latents } from '#src/client/index.js';
import { serve, shippedRoot, smallRequest, temporaryFolder, untilReady } from '../harness.js';
import { executable, launch } from '../../browser.js';
import { accessibilityFaults, picture, watch } from './watched-page.js';

const folder = temporaryFolder();
let server: RunningServer;
let client: SaeEvalClient;
let id: string;

beforeAll(async () => {
  server = await serve(folder.path, { roots: [shippedRoot(folder.path)] });
  client = new SaeEvalClient(server.url);
  await untilReady(server.url);
  const saes = [
    { kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 },
    { kind: 'MLSAE', checkpoint: 'checkpoints/MLSAE_tiny.pt', k: 16 },
  ] as const;
  const request = smallRequest({ saes: [...saes], latents: 4, metrics: ['L0'] });
  ({ id } = await client.evaluate(request, { wait: true }));
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

/** The whole table, as the file has it. */
async function whole(sae: string): Promise<Latents> {
  const [file] = readdirSync(folder.path, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.latents.parquet'),
  );
  return readLatents(join(folder.path, file!), { sae, limit: 10_000 });
}

describe('GET /v1/evaluations/:id/latents', () => {
  it('gives a page of rows, sorted either way, those without a value last', async () => {
    const { latents: all, ...about } = await whole('TopK');
    expect(about).toMatchObject({ sae: 'TopK', saes: ['TopK', 'MLSAE'], m: 1024, contexts: 4 });
    const plain = await client.latents(id);
    expect(plain).toEqual({ ...about, latents: all.slice(0, 50) });
    for (const order of ['asc', 'desc'] as const) {
      const sign = order === 'asc' ? 1 : -1;
      const sorted = all.toSorted((a, b) => {
        if (a.mean === null || b.mean === null)
          return Number(a.mean === null) - Number(b.mean === null) || a.latent - b.latent;
        return sign * (a.mean - b.mean) || a.latent - b.latent;
      });
      const query = { sort: 'mean', order, limit: 7, offset: 1015 } as const;
      const { latents } = await client.latents(id, query);
      expect(latents).toEqual(sorted.slice(1015, 1022));
    }
    expect(about.dead).toBe(all.filter(({ active }) => active === 0).length);
  });

  it('gives one latent, the file, and errors that name what is wrong', async () => {
    const { latents } = await client.latents(id, { sae: 'MLSAE', latent: 700 });
    expect(latents).toEqual([(await whole('MLSAE')).latents[700]]);
    const url = `${server.url}/v1/evaluations/${id}/latents`;
    const file = await fetch(`${url}?format=parquet`);
    expect(file.headers.get('content-type')).toBe('application/vnd.apache.parquet');
    expect(Buffer.from(await file.arrayBuffer()).toString('latin1', 0, 4)).toBe('PAR1');
    await expect(client.latents(id, { sae: 'TopKK' })).rejects.toThrow(/did you mean TopK/);
    await expect(client.latents(id, { latent: 1024 })).rejects.toThrow(/latents 0 to 1023/);
    expect((await fetch(`${url}?sort=text`)).status).toBe(422);
    expect((await fetch(`${url}?limit=501`)).status).toBe(422);
    const { id: without } = await client.evaluate(smallRequest({ metrics: ['L0'] }), {
      wait: true,
    });
    await expect(client.latents(without)).rejects.toThrow(NotFoundError);
  });
});

describe.skipIf(executable === undefined)('latents on the page', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, locale: 'en-US' });
  });
  afterAll(async () => browser.close());

  const firstRow = (): Promise<string[]> =>
    page.locator('.latents tbody tr').first().locator('th button, td').allInnerTexts();

  it('are sorted, turned and chosen by SAE', async () => {
    const seen = watch(page, server.url);
    const { latents: all, dead } = await whole('TopK');
    const densest = all.toSorted((a, b) => b.density! - a.density! || a.latent - b.latent);
    await page.goto(`${server.url}/#/evaluations/${id}`);
    await page.locator('.latents caption').waitFor();
    expect(await page.locator('.latents caption').innerText()).toContain(`${dead} of them dead`);
    expect((await firstRow())[0]).toContain(String(densest[0]!.latent));
    expect(await page.locator('.latents tbody tr').count()).toBe(20);
    await page.getByRole('button', { name: 'Next', exact: true }).click();
    await page.getByText('21–40 / 1,024').waitFor();
    expect((await firstRow())[0]).toContain(String(densest[20]!.latent));
    await page.getByRole('button', { name: 'Twin', exact: true }).click();
    await page.locator('th[aria-sort="descending"]', { hasText: 'Twin' }).waitFor();
    await page.getByText('1–20 / 1,024').waitFor();
    const [twins] = all.toSorted((a, b) => b.twinCosine! - a.twinCosine! || a.latent - b.latent);
    expect((await firstRow())[0]).toContain(String(twins!.latent));
    expect(seen).toEqual({ outside: [], faults: [] });
  });

  it('open with contexts in color, histogram and twin', async () => {
    const { latents: all } = await whole('TopK');
    const [row] = all.toSorted((a, b) => b.twinCosine! - a.twinCosine! || a.latent - b.latent);
    await page.locator('.latents tbody th button').first().click();
    const opened = page.getByRole('region', { name: `TopK, latent ${row!.latent}` });
    await opened.waitFor();
    expect(await opened.locator('.contexts tbody tr').count()).toBe(row!.contexts.length);
    const mark = opened.locator('mark').first();
    expect(await mark.textContent()).toBe(row!.contexts[0]!.token);
    const background = (index: number): Promise<string> =>
      opened
        .locator('mark')
        .nth(index)
        .evaluate((node) => getComputedStyle(node).backgroundColor);
    expect(await background(0)).not.toBe('rgba(0, 0, 0, 0)');
    if (row!.contexts.at(-1)!.value < 0.9 * row!.max!)
      expect(await background(row!.contexts.length - 1)).not.toBe(await background(0));
    const bars = row!.histogram.slice(
      row!.histogram.findIndex((count) => count > 0),
      row!.histogram.findLastIndex((count) => count > 0) + 1,
    );
    expect(await opened.locator('.histogram rect').count()).toBe(bars.length);
    await picture('latents', page);
    expect(await page.evaluate(accessibilityFaults)).toEqual([]);
    await opened.getByRole('button', { name: `Twin: latent ${row!.twin}` }).click();
    await page.getByRole('region', { name: `TopK, latent ${row!.twin}` }).waitFor();
    await page.getByRole('region', { name: 'Latents' }).locator('select').selectOption('MLSAE');
    const { positions } = await whole('MLSAE');
    const over = `over ${positions.toLocaleString('en')} positions`;
    await page.locator('.latents caption', { hasText: over }).waitFor();
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByRole('heading', { name: '潜变量', exact: true }).waitFor();
  });
});

it('removes the table with its evaluation', async () => {
  const { id: gone } = await client.evaluate(
    smallRequest({ latents: 0, metrics: ['L0'], seed: 3 }),
    { wait: true },
  );
  const table = join(folder.path, 'jobs.db.sums', `${gone}.latents.parquet`);
  expect(existsSync(table)).toBe(true);
  await client.remove(gone);
  expect(existsSync(table)).toBe(false);
});
