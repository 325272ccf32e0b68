/**
 * The server behind reverse proxies with a path of their own: one strips it, as
 * jupyter-server-proxy and code-server do, and says nothing about it; one passes it on; one names
 * it in a header.
 */
import { createServer, request as send, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import { executable, launch } from '../browser.js';
import { post, serve, shippedRoot, smallRequest, temporaryFolder, untilReady } from './harness.js';

const stripped = '/user/ana/proxy/8787';
const folder = temporaryFolder();
const proxies: Server[] = [];
let plain: RunningServer;
let based: RunningServer;
/** Addresses of the proxies, without a slash at the end. */
let stripping: string;
let passing: string;
let naming: string;

/** A proxy to a server, which serves it under `prefix`. @returns its address with the prefix */
async function proxy(
  to: RunningServer,
  { prefix, strips, headers = {} }: { prefix: string; strips: boolean; headers?: object },
): Promise<string> {
  const { port } = new URL(to.url);
  const server = createServer((incoming, outgoing) => {
    const url = incoming.url!;
    if (!url.startsWith(prefix)) return void outgoing.writeHead(404).end();
    const own = { ...incoming.headers, host: `127.0.0.1:${port}`, ...headers };
    const upstream = send(
      {
        host: '127.0.0.1',
        port,
        path: strips ? url.slice(prefix.length) : url,
        method: incoming.method,
        headers: own,
        // A connection that was kept may be closed just when it is used again.
        agent: false,
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      },
    );
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxies.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`;
}

beforeAll(async () => {
  const root = shippedRoot(folder.path);
  const roots = [join(root, 'checkpoints'), root];
  [plain, based] = await Promise.all([
    serve(folder.path, { roots }),
    serve(folder.path, {
      roots,
      db: join(folder.path, 'based.db'),
      basePath: '/x/',
      trustProxy: ['loopback'],
    }),
  ]);
  stripping = await proxy(plain, { prefix: stripped, strips: true });
  passing = await proxy(based, { prefix: '/x', strips: false });
  naming = await proxy(based, {
    prefix: '/lab/sae',
    strips: true,
    headers: { 'x-forwarded-prefix': '/lab/sae' },
  });
  await Promise.all([untilReady(plain.url), untilReady(based.url)]);
});
afterAll(async () => {
  for (const server of proxies) {
    server.closeAllConnections();
    server.close();
  }
  await Promise.all([plain.close(), based.close()]);
  folder.remove();
});

/** Paths and statuses of everything that a page names, fetched as a browser would. */
async function linked(address: string): Promise<Record<string, number>> {
  const page = await fetch(address);
  const names = [...(await page.text()).matchAll(/(?:src|href)="([^"#]+)"/g)].map(
    ([, url]) => url!,
  );
  expect(names.length).toBeGreaterThan(3);
  const found = names.map(async (name): Promise<[string, number]> => [
    name,
    (await fetch(new URL(name, page.url))).status,
  ]);
  return Object.fromEntries(await Promise.all(found));
}

const all200 = (found: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.keys(found).map((name) => [name, 200]));

describe.each([
  ['that strips its path and does not say so', () => stripping],
  ['that passes its path on', () => passing],
  ['that names its path', () => naming],
])('a proxy %s', (_, base) => {
  it('serves the page and the documentation', async () => {
    for (const path of ['/', '/docs', '/docs/']) {
      const found = await linked(`${base()}${path}`);
      expect(found).toEqual(all200(found));
    }
    for (const [path, up] of [
      ['/openapi.json', '.'],
      ['/docs/json', '..'],
    ] as const) {
      const document = await fetch(`${base()}${path}`);
      const { servers } = (await document.json()) as { servers: { url: string }[] };
      expect(servers).toEqual([{ url: up }]);
      const root = new URL(servers[0]!.url, document.url).href.replace(/\/$/, '');
      expect(root).toBe(base());
    }
  });

  it('leads to what was made, with a slash at the end or not', async () => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': base() };
    for (const slash of ['', '/']) {
      const made = await fetch(`${base()}/v1/evaluations${slash}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(smallRequest()),
      });
      expect(made.status).toBe(202);
      const { id } = (await made.json()) as { id: string };
      const location = new URL(made.headers.get('location')!, made.url).href;
      expect(location).toBe(`${base()}/v1/evaluations/${id}`);
      expect(await (await fetch(location)).json()).toMatchObject({ id });
    }
  });

  it('serves the client with its events', async () => {
    const events: string[] = [];
    const record = await new SaeEvalClient(`${base()}/`).evaluate(smallRequest(), {
      wait: true,
      onEvent: ({ event }) => events.push(event),
    });
    expect(record.status).toBe('succeeded');
    expect(events.at(-1)).toBe('end');
    expect((await new SaeEvalClient(base()).get(record.id)).status).toBe('succeeded');
  });
});

it('a Location can also be resolved against the address of the server', async () => {
  const answer = await post(plain.url, smallRequest());
  const { id } = (await answer.json()) as { id: string };
  const location = new URL(answer.headers.get('location')!, plain.url);
  expect(location.pathname).toBe(`/v1/evaluations/${id}`);
});

it('the base path without its slash leads to the page', async () => {
  const answer = await fetch(passing, { redirect: 'manual' });
  expect([answer.status, answer.headers.get('location')]).toEqual([308, '/x/']);
});

it('believes X-Forwarded-Prefix of a trusted proxy alone, and only if it is a path', async () => {
  const docs = async (server: RunningServer, prefix: string): Promise<string> => {
    const answer = await fetch(`${server.url}/docs`, {
      redirect: 'manual',
      headers: { 'x-forwarded-prefix': prefix },
    });
    return answer.headers.get('location')!;
  };
  expect(await docs(based, '/a/b/')).toBe('/a/b/x/docs/');
  expect(await docs(based, '/a/x')).toBe('/a/x/docs/');
  for (const forged of ['//evil.example', 'https://evil.example', '/a"b', '/a b', ''])
    expect(await docs(based, forged)).toBe('/x/docs/');
  expect(await docs(plain, '/a')).toBe('docs/');
});

describe('an address that is not there', () => {
  const detail = async (path: string): Promise<string> => {
    const answer = await fetch(`${plain.url}${path}`);
    expect(answer.status).toBe(404);
    return ((await answer.json()) as { detail: string }).detail;
  };

  it('says what was probably meant', async () => {
    expect(await detail('/kinds')).toContain('Perhaps /v1/kinds is meant.');
    expect(await detail('/lab/v1/kinds/')).toContain('give --base-path /lab');
    expect(await detail('/v1/nothing')).toContain('/docs lists the calls');
  });

  it('is another than one with a slash at its end', async () => {
    const [with_, without] = await Promise.all(
      ['/v1/kinds/', '/v1/kinds'].map(async (path) => (await fetch(`${plain.url}${path}`)).text()),
    );
    expect(with_).toBe(without);
    const answer = await fetch(`${plain.url}/v1/kinds/`, { method: 'DELETE' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

it('without keys only a page of its own may call, whatever Host a proxy puts in', async () => {
  const from = async (origin: string, site: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(plain.url);
      send(
        {
          hostname,
          port,
          path: '/v1/kinds',
          headers: { host: `127.0.0.1:${port}`, origin, 'sec-fetch-site': site },
        },
        (answer) => resolve(answer.resume().statusCode!),
      )
        .on('error', reject)
        .end();
    });
  expect(await from('http://127.0.0.1:1', 'same-origin')).toBe(200);
  expect(await from('http://127.0.0.1:1', 'same-site')).toBe(403);
  expect(await from('http://evil.example', 'cross-site')).toBe(403);
});

it.skipIf(executable === undefined)(
  'the page works behind the proxy that strips',
  async () => {
    const browser = await launch();
    try {
      const page = await browser.newPage();
      const failed: string[] = [];
      page.on('response', (answer) => {
        if (answer.status() >= 400) failed.push(`${answer.status()} ${answer.url()}`);
      });
      await page.goto(`${stripping}/#/new`);
      await page.getByLabel('Language model').fill('tiny-llama');
      await page.getByLabel('Text (required)').fill('eval');
      await page.getByLabel('Samples, at most').fill('4');
      await page.getByLabel('Tokens per sample').fill('16');
      await page.getByLabel('Checkpoint').fill('RouteSAE_tiny.pt');
      await page.locator('[data-path="saes[0].k"]').fill('16');
      await page.getByRole('button', { name: 'Submit evaluation' }).click();
      await page.waitForURL(/evaluations\//);
      await page.locator('.pill.succeeded').waitFor({ timeout: 60_000 });
      const report = await page
        .getByLabel(/^Report as/)
        .first()
        .getAttribute('href');
      expect((await fetch(new URL(report!, page.url()))).status).toBe(200);
      await page.getByRole('link', { name: 'API' }).click();
      await page.getByRole('heading', { name: /^sae-eval/ }).waitFor();
      expect(failed).toEqual([]);
    } finally {
      await browser.close();
    }
  },
  120_000,
);
