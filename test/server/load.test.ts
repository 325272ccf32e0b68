/** One client that asks for much, or reads nothing, beside another. */
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Store } from '#server/jobs/store.js';
import { addKey, type RunningServer } from '#server/main.js';
import type { EvaluationRecord } from '#src/schema/record.js';
import { full } from '../full.js';
import { serve, shippedRoot, smallRequest, temporaryFolder, until, untilReady } from './harness.js';

const folder = temporaryFolder();
const file = join(folder.path, 'keys.json');
const keys = {
  mallory: addKey({ file, label: 'mallory' }),
  bob: addKey({ file, label: 'bob' }),
};
type Name = keyof typeof keys;
const as = (name: Name): { authorization: string } => ({ authorization: `Bearer ${keys[name]}` });

let server: RunningServer;
let large: string[] = [];
/** More than the system takes for a connection whose other end does not read. */
let huge = '';
let small = '';
const start = (): Promise<RunningServer> =>
  serve(folder.path, {
    apiKeys: file,
    roots: [join(folder.path, 'root')],
    requestTimeout: 4,
    maxWatchersPerClient: 5,
  });

/** Stores evaluations of mallory with results of so many bytes. */
function storeLarge(
  { request, result }: EvaluationRecord,
  { count, bytes }: { count: number; bytes: number },
): string[] {
  const ids: string[] = [];
  const store = new Store(join(folder.path, 'jobs.db'));
  const [sae] = result!.results;
  const { reference, strict } = sae!;
  const sweep = Array.from({ length: 40 }, (_, k) => ({ inferK: k + 1, reference, strict }));
  const one = { ...sae!, sweep } as NonNullable<EvaluationRecord['result']>['results'][number];
  const results = Array.from({ length: Math.ceil(bytes / JSON.stringify(one).length) }, (_, i) => ({
    ...one,
    label: `SAE ${i}`,
  }));
  for (let i = 0; i < count; i++) {
    const id = randomUUID();
    store.evaluations.insert({
      id,
      request,
      device: 'cpu',
      submittedBy: 'mallory',
      client: 'mallory',
      paths: [],
      idempotencyKey: null,
      bodyHash: '',
      trace: {},
    });
    store.jobs.finish(id, 'succeeded', { result: { ...result!, id, results } });
    ids.push(id);
  }
  store.close();
  return ids;
}

async function submit(name: Name, query = ''): Promise<Response> {
  return fetch(`${server.url}/v1/evaluations${query}`, {
    method: 'POST',
    headers: { ...as(name), 'content-type': 'application/json' },
    body: JSON.stringify(smallRequest()),
  });
}

beforeAll(async () => {
  shippedRoot(folder.path);
  server = await start();
  await untilReady(server.url);
  const record = (await (await submit('bob', '?wait=60')).json()) as EvaluationRecord;
  expect(record.status).toBe('succeeded');
  small = record.id;
  await server.close();
  large = storeLarge(
    record,
    full ? { count: 20, bytes: 3_000_000 } : { count: 6, bytes: 1_000_000 },
  );
  [huge = ''] = storeLarge(record, { count: 1, bytes: 12_000_000 });
  server = await start();
  await untilReady(server.url);
}, 120_000);
const sockets: Socket[] = [];
const ask = (name: Name, id: string): Promise<Response> =>
  fetch(`${server.url}/v1/evaluations/${id}`, { headers: as(name) });
// The server shares its event loop with the tests, which read megabytes: it may be late.
const untilCalm = (): Promise<void> =>
  until(
    async () => {
      const answer = await ask('bob', small);
      await answer.text();
      return answer.status === 200;
    },
    { what: 'an answer to bob' },
  );
beforeEach(untilCalm);
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
  folder.remove();
});

/** A connection that asks and then reads nothing. */
function askWithoutReading(path: string): Socket {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined).pause();
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\n` +
      `Authorization: ${as('mallory').authorization}\r\n\r\n`,
  );
  sockets.push(socket);
  return socket;
}
const descriptors = (): number => readdirSync('/proc/self/fd').length;
async function untilDescriptors(count: number): Promise<void> {
  await until(() => descriptors() <= count, { what: `at most ${count} descriptors`, seconds: 20 });
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`, { headers: as('bob') })).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

describe('answers that nobody reads', () => {
  it('are bounded in number and bytes, and given up after a while', async () => {
    const before = descriptors();
    // Two have room in 32 MiB.
    askWithoutReading(`/v1/evaluations/${huge}/events`);
    await until(async () => (await metric('sae_eval_watchers')) === 1, { what: 'the stream' });
    askWithoutReading(`/v1/evaluations/${huge}`);
    let refused = await ask('mallory', huge);
    let why = await refused.text();
    while (refused.status === 200 || why.includes('overloaded')) {
      // The one before was refused, since this one was being read: once more, and before the next.
      askWithoutReading(`/v1/evaluations/${huge}`);
      await (await ask('bob', small)).text();
      refused = await ask('mallory', huge);
      why = await refused.text();
    }
    expect(refused.status).toBe(503);
    expect(why).toContain('You have not read');
    await untilCalm();
    let again = await ask('mallory', huge);
    await until(
      async () => {
        if (again.status === 200) return true;
        await again.text();
        again = await ask('mallory', huge);
        return false;
      },
      { what: 'their end' },
    );
    const record = (await again.json()) as EvaluationRecord;
    expect(record.result?.results.length).toBeGreaterThan(10);
    expect(await metric('sae_eval_watchers')).toBe(0);
    // Ends of this process that read nothing are open until they are destroyed.
    await untilDescriptors(before + sockets.length + 10);
    for (const socket of sockets) socket.destroy();
  });

  it('of an ended evaluation arrive whole at those who read', async () => {
    const answer = await fetch(`${server.url}/v1/evaluations/${huge}/events`, {
      headers: as('mallory'),
    });
    const text = await answer.text();
    expect(text.match(/^event: result$/gm)?.length).toBeGreaterThan(10);
    expect(text).toMatch(/event: end\ndata: \{.*\}\n\n$/);
    // A watcher that comes back gets what it has not seen.
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id!);
    const after = async (id: string): Promise<Response> =>
      fetch(`${server.url}/v1/evaluations/${huge}/events`, {
        headers: { ...as('mallory'), 'last-event-id': id },
      });
    const rest = await (await after(ids.at(-3)!)).text();
    expect([...rest.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id)).toEqual(ids.slice(-2));
    expect((await after(ids.at(-1)!)).status).toBe(204);
  });
});

describe('reports', () => {
  it('of one client do not hold up those of another, nor other answers', async () => {
    let done = 0;
    const many = Array.from({ length: 6 }, (_, i) =>
      fetch(`${server.url}/v1/evaluations/${large[i]}/report?format=html`, {
        headers: as('mallory'),
      }).then(async (answer) => {
        const text = await answer.text();
        done += 1;
        return answer.status === 200 ? 'made' : text;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    const quick = await fetch(`${server.url}/v1/evaluations/${small}/report?format=csv`, {
      headers: as('bob'),
    });
    expect([quick.status, await quick.text()]).toEqual([200, expect.stringContaining('TopK')]);
    expect(done).toBeLessThan(6);
    expect(await Promise.all(many)).toEqual(many.map(() => 'made'));
  });

  it('that compare much are made beside the event loop, in bounded memory', async () => {
    const comparison = fetch(`${server.url}/v1/reports`, {
      method: 'POST',
      headers: { ...as('mallory'), 'content-type': 'application/json' },
      body: JSON.stringify({ evaluations: large, format: 'csv' }),
    });
    let isOver = false;
    void comparison.finally(() => (isOver = true));
    let others = 0;
    while (!isOver) {
      await (await fetch(`${server.url}/healthz`)).text();
      others += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const answer = await comparison;
    expect(answer.status).toBe(200);
    expect((await answer.text()).length).toBeGreaterThan(100_000);
    // One answer would wait for a comparison on the event loop, and one could come before it.
    expect(others).toBeGreaterThan(4);
  });
});

describe('inspections', () => {
  it('of one client do not hold up the submission of another', async () => {
    let done = 0;
    const many = Array.from({ length: 8 }, () =>
      submit('mallory').then(({ status }) => {
        done += 1;
        return status;
      }),
    );
    const own = await submit('bob');
    expect(own.status).toBe(202);
    expect(done).toBeLessThan(8);
    expect(await Promise.all(many)).toEqual(many.map(() => 202));
  });
});

describe('clients that leave while they wait', () => {
  it('take their connections with them', async () => {
    const long = { dataset: { path: 'checkpoints/eval', maxSamples: 100_000, seqLen: 64 } };
    const count = full ? 60 : 6;
    const before = descriptors();
    const { hostname, port } = new URL(server.url);
    const left = Array.from({ length: count }, () => {
      const body = JSON.stringify(smallRequest(long));
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      socket.write(
        'POST /v1/evaluations?wait=300 HTTP/1.1\r\nHost: localhost\r\n' +
          `Authorization: ${as('bob').authorization}\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      return socket;
    });
    const accepted = async (): Promise<string[]> => {
      const answer = await fetch(`${server.url}/v1/evaluations?limit=100&status=queued,running`, {
        headers: as('bob'),
      });
      return ((await answer.json()) as { items: { id: string }[] }).items.map(({ id }) => id);
    };
    await until(async () => (await accepted()).length === count, {
      what: 'all to wait',
      seconds: 100,
    });
    expect(descriptors()).toBeGreaterThanOrEqual(before + count);
    for (const socket of left) socket.destroy();
    await untilDescriptors(before + 3);
    // What was accepted stays, until somebody cancels it.
    const ids = await accepted();
    expect(ids.length).toBe(count);
    for (const id of ids)
      await fetch(`${server.url}/v1/evaluations/${id}`, { method: 'DELETE', headers: as('bob') });
    await until(async () => (await accepted()).length === 0, { what: 'the ends' });
  });
});
