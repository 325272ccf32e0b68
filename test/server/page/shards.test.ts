/**
 * The card of shards on the page of a run, in a real browser: shards, workers and progress while
 * real workers compute. In full runs only.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalClient } from '#src/client/index.js';
import { full } from '../../full.js';
import {
  computeProcesses,
  packageRoot,
  smallRequest,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';
import {
  killed,
  LocalRedis,
  spawnSharingServer,
  spawnWorker,
  submitTo,
  withoutRedis,
  workerAtWork,
  type WorkerProcess,
} from '../shards/harness.js';
import { executable, launch } from '../../browser.js';
import { accessibilityFaults, watch, type Watched } from './watched-page.js';

const request = smallRequest({
  dataset: { path: 'checkpoints/eval', maxSamples: 600, seqLen: 128 },
  batchSize: 4,
});
const isRun = full && executable !== undefined && withoutRedis === '';

describe.runIf(isRun)(`the card of shards${withoutRedis}`, () => {
  const folder = temporaryFolder();
  const workers: WorkerProcess[] = [];
  let redis: LocalRedis;
  let server: ServerProcess;
  let client: SaeEvalClient;
  let browser: Browser;
  let page: Page;
  let watched: Watched;
  let id: string;

  beforeAll(async () => {
    redis = await LocalRedis.start(folder.path);
    for (let count = 0; count < 2; count += 1)
      workers.push(spawnWorker(redis.url, [packageRoot, folder.path]));
    server = await spawnSharingServer(folder.path, redis.url);
    await untilReady(server.url);
    client = new SaeEvalClient(server.url);
    await until(async () => (await client.workers()).length === 2, {
      what: 'two workers',
      seconds: 120,
    });
    browser = await launch();
    page = await browser.newPage({ locale: 'en-US' });
    watched = watch(page, server.url);
    id = await submitTo(server.url, request);
    await workerAtWork(server.url, id);
    await page.goto(`${server.url}/#/evaluations/${id}`);
  }, 240_000);
  afterAll(async () => {
    await browser.close();
    for (const worker of workers) await killed(worker);
    await killed(server);
    await redis.kill();
    folder.remove();
  });

  const card = (): ReturnType<Page['locator']> =>
    page.locator('section.card').filter({ has: page.getByRole('heading', { name: 'Shards' }) });
  const bar = (): ReturnType<Page['locator']> =>
    card().getByRole('progressbar', { name: 'Shards' });

  it('counts shards as they are done, and lists workers with what they do', async () => {
    await card().waitFor();
    expect(await bar().getAttribute('max')).toBe('150');
    await card()
      .getByText(/^\d+ of 150 done, [012] under way, 0 lost and made again$/)
      .waitFor();
    const before = Number(await bar().getAttribute('value'));
    await until(async () => Number(await bar().getAttribute('value')) > before + 1, {
      what: 'the bar to grow',
      seconds: 60,
    });
    const shown = Number(await bar().getAttribute('value'));
    const { progress } = await client.summary(id);
    expect(shown).toBeGreaterThan(0);
    expect(progress!.shards!.done).toBeGreaterThanOrEqual(shown);

    const table = card().getByRole('table', { name: 'Workers' });
    await table.waitFor();
    expect(await table.getByRole('columnheader').allInnerTexts()).toEqual([
      ...['Host', 'Device', 'Kind of machine', 'State', 'Shard'],
    ]);
    const listed = await client.workers();
    const rows = table.locator('tbody tr');
    expect(await rows.count()).toBe(2);
    await rows
      .filter({ hasText: /computes/ })
      .first()
      .waitFor();
    const cells = await rows.first().locator('td').allInnerTexts();
    expect(cells.slice(0, 3)).toEqual([listed[0]!.host, 'cpu', listed[0]!.kind]);
    expect(await page.evaluate(accessibilityFaults)).toEqual([]);
  }, 120_000);

  it('counts a shard that was lost, and speaks Chinese', async () => {
    const pid = await workerAtWork(server.url, id);
    for (const child of computeProcesses(pid)) process.kill(child, 'SIGKILL');
    await card()
      .getByText(/ [1-9]\d* lost and made again$/)
      .waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByRole('heading', { name: '分片' }).waitFor();
    await page.getByRole('button', { name: 'English' }).click();
    await card().waitFor();
  }, 120_000);

  it('goes with the end of the run', async () => {
    await client.cancel(id);
    await page.locator('.pill.cancelled, .pill.succeeded').waitFor();
    await card().waitFor({ state: 'detached' });
    expect(watched).toEqual({ outside: [], faults: [] });
  }, 60_000);
});
