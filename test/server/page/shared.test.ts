/** The page of a server with keys: what a key may only read, and labels that others chose. */
import type { Browser, Page } from 'playwright-core';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKey, type RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import { serve, shippedRoot, smallRequest, temporaryFolder, untilReady } from '../harness.js';
import { executable, launch } from '../../browser.js';
import { watch, type Watched } from './watched-page.js';

/** Turns the direction of what follows. */
const turning = '\u202e';
const unseen = /(?![\u200c\u200d\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

describe.skipIf(executable === undefined)('an evaluation that is shared', () => {
  const folder = temporaryFolder();
  const file = join(folder.path, 'keys.json');
  const keys = {
    alice: addKey({ file, label: 'alice' }),
    bob: addKey({ file, label: 'bob' }),
    dash: addKey({ file, label: 'dash', role: 'read' }),
    root: addKey({ file, label: 'root', role: 'admin' }),
  };
  let server: RunningServer;
  let browser: Browser;
  let id: string;
  const allWatched: Watched[] = [];

  beforeAll(async () => {
    server = await serve(folder.path, { apiKeys: file, roots: [shippedRoot(folder.path)] });
    await untilReady(server.url);
    const client = new SaeEvalClient(server.url, { apiKey: keys.alice });
    const sae = { kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 } as const;
    const request = smallRequest({
      shared: true,
      name: `name${turning}x`,
      saes: [
        { ...sae, label: `a${turning}one` },
        { ...sae, k: 8, label: 'b\u001b[31mtwo' },
      ],
      inferK: [4, 8],
    });
    ({ id } = await client.evaluate(request, { wait: true }));
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    folder.remove();
  });

  /** The page of the evaluation as the holder of a key sees it. */
  async function pageOf(name: keyof typeof keys): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    await context.addInitScript(
      (key) => sessionStorage.setItem('sae-eval api key', key),
      keys[name],
    );
    const page = await context.newPage();
    allWatched.push(watch(page, server.url));
    await page.goto(`${server.url}/#/evaluations/${id}`);
    await page.locator('table').first().waitFor();
    return page;
  }

  it('has the buttons that its reader may press', async () => {
    for (const [name, buttons] of [
      ['alice', ['Run again', 'Edit and rerun', 'Remove']],
      ['bob', ['Run again', 'Edit and rerun']],
      ['dash', []],
      ['root', ['Run again', 'Edit and rerun', 'Remove']],
    ] as const) {
      const page = await pageOf(name);
      const shown = page.locator('.heading').locator('button, a.button');
      await expect.poll(() => shown.allInnerTexts(), { message: name }).toEqual([...buttons]);
      await page.goto(`${server.url}/#/`);
      await page.locator('.what > a').first().waitFor();
      await expect
        .poll(() => page.locator('.heading a.button').count(), { message: name })
        .toBe(name === 'dash' ? 0 : 1);
      await page.context().close();
    }
  });

  it('shows characters of labels that turn text around, in charts too', async () => {
    const page = await pageOf('bob');
    await page.locator('figure.chart svg').first().waitFor();
    const shown = (): Promise<string> =>
      page.evaluate(() =>
        [...document.querySelectorAll('main *')]
          .flatMap((node) => [
            ...[...node.childNodes].filter(({ nodeType }) => nodeType === 3),
            ...[...node.attributes].filter(({ name }) => name !== 'value'),
          ])
          .map(({ nodeValue }) => nodeValue)
          .join(' '),
      );
    const charts = page.locator('figure.chart');
    await expect.poll(() => page.locator('.drawing:empty:visible').count()).toBe(0);
    await expect.poll(async () => (await charts.allInnerTexts()).join('')).toContain('a\ufffdone');
    expect(await shown()).not.toMatch(unseen);
    // Pointing at a dot makes a text of the chart; Plot itself puts zero-width spaces into it.
    await page.locator('figure.chart circle').first().hover();
    expect((await shown()).replaceAll('\u200b', '')).not.toMatch(unseen);
    await page.context().close();
  });

  it('has no faults on its page', () => {
    for (const watched of allWatched) expect(watched).toEqual({ outside: [], faults: [] });
  });
});
