/**
 * A queue of thousands, of several clients: it survives a restart, is listed without gaps, keeps
 * its order and its limit.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Roots } from '#server/roots.js';
import { Store } from '#server/jobs/store.js';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient, type EvaluationSummary } from '#src/client/index.js';
import { resolvedRequestSchema } from '#src/schema/index.js';
import { full } from '../../full.js';
import { packageRoot, post, serve, smallRequest, temporaryFolder, untilReady } from '../harness.js';

const count = full ? 10_000 : 1000;
const folder = temporaryFolder();
let server: RunningServer;
let client: SaeEvalClient;
const clients = ['anna', 'bert', 'cleo'];
const idOf = (index: number): string => `job-${String(index).padStart(5, '0')}`;

beforeAll(async () => {
  // As a server before this one would have left them; over HTTP the inspection of each would take
  // most of the time.
  const store = new Store(join(folder.path, 'jobs.db'));
  const request = resolvedRequestSchema.parse(
    smallRequest({
      dataset: { path: 'checkpoints/eval', maxSamples: 5000, seqLen: 512 },
      batchSize: 64,
    }),
  );
  const paths = await new Roots([packageRoot]).table(request);
  for (let index = 0; index < count; index++) {
    // The first two thirds are anna's.
    const owner = index < (count * 2) / 3 ? clients[0]! : clients[1 + (index % 2)]!;
    store.evaluations.insert({
      id: idOf(index),
      device: 'cpu',
      submittedBy: owner,
      client: owner,
      request,
      paths,
      idempotencyKey: `key ${index}`,
      bodyHash: 'of this body',
      trace: {},
    });
  }
  store.close();
  server = await serve(folder.path, {
    maxQueued: count - 1,
    maxQueuedPerClient: count,
    requestsPerMinute: 1_000_000,
  });
  client = new SaeEvalClient(server.url, { retries: 0 });
  await untilReady(server.url);
}, 300_000);
afterAll(async () => {
  await server.close();
  folder.remove();
});

describe(`a queue of ${count}`, () => {
  it('is listed completely, newest first, with positions in fair order', async () => {
    const items: EvaluationSummary[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await client.list({ limit: 100, ...(cursor === undefined ? {} : { cursor }) });
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(items.map(({ id }) => id)).toEqual(
      Array.from({ length: count }, (_, index) => idOf(count - 1 - index)),
    );
    const waiting = items
      .filter(({ status }) => status === 'queued')
      .sort((a, b) => a.position! - b.position!);
    expect(waiting.map(({ position }) => position)).toEqual(
      Array.from({ length: count - 1 }, (_, index) => index + 1),
    );
    // One runs; while all three have some waiting, each has every third place.
    for (const owner of clients)
      expect(waiting.slice(0, 30).filter(({ submittedBy }) => submittedBy === owner)).toHaveLength(
        10,
      );
    expect(items.filter(({ status }) => status === 'running').map(({ id }) => id)).toEqual([
      idOf(0),
    ]);
  });

  it('takes no more than its limit, and one again when one is gone', async () => {
    const answer = await post(server.url, smallRequest());
    expect({
      status: answer.status,
      code: (await answer.json()).code,
      retryAfter: answer.headers.get('retry-after'),
    }).toEqual({ status: 429, code: 'queue-full', retryAfter: '5' });
    expect(await client.cancel(idOf(count - 1))).toMatchObject({ status: 'cancelled' });
    expect((await post(server.url, smallRequest())).status).toBe(202);
    expect((await post(server.url, smallRequest())).status).toBe(429);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain(
      `sae_eval_queue_length{device="cpu"} ${count - 1}`,
    );
  });
});
