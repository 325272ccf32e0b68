/** Pages of other origins: preflights and calls, with and without keys. */
import { afterAll, describe, expect, it } from 'vitest';
import type { ServerOptions } from '#server/options.js';
import { serve, smallRequest, temporaryFolder } from './harness.js';

const app = 'https://app.example';
const key = 'a key of sixteen letters';
const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

async function started(options: ServerOptions): Promise<string> {
  const folder = temporaryFolder();
  const server = await serve(folder.path, options);
  closing.push(async () => {
    await server.close();
    folder.remove();
  });
  return server.url;
}

function preflight(url: string, origin: string, path = '/v1/evaluations'): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key',
    },
  });
}

describe.each([
  ['with keys', { apiKey: key }],
  ['without keys', {}],
])('a server %s', (_, keys: ServerOptions) => {
  it('lets pages of the origins that it was given call it and read its answers', async () => {
    const url = await started({ ...keys, cors: [`${app}/`, 'http://localhost:5173'] });
    const authorization = { authorization: `Bearer ${key}` };
    for (const origin of [app, 'http://localhost:5173']) {
      const asked = await preflight(url, origin);
      expect(asked.status).toBe(204);
      expect(asked.headers.get('access-control-allow-origin')).toBe(origin);
      expect(asked.headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST');
      const allowed = asked.headers.get('access-control-allow-headers')!.split(', ');
      expect(allowed).toEqual(
        expect.arrayContaining(['authorization', 'content-type', 'idempotency-key']),
      );
      expect(asked.headers.has('access-control-allow-credentials')).toBe(false);
      const answer = await fetch(`${url}/v1/kinds`, { headers: { ...authorization, origin } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
      expect(answer.headers.get('vary')).toMatch(/\borigin\b/i);
    }
    const rerun = await preflight(url, app, '/v1/evaluations/x/rerun?wait=1');
    expect(rerun.headers.get('access-control-allow-methods')).toBe('POST');
    // The page reads why it was refused.
    const refused = await fetch(`${url}/v1/evaluations`, {
      method: 'POST',
      headers: { ...authorization, origin: app, 'content-type': 'application/json' },
      body: JSON.stringify({ ...smallRequest(), batchSize: 0 }),
    });
    expect(refused.status).toBe(422);
    expect(refused.headers.get('access-control-allow-origin')).toBe(app);
    expect(refused.headers.get('access-control-expose-headers')).toContain('location');

    for (const origin of ['https://evil.example', 'https://app.example.evil.example', 'null']) {
      const other = await preflight(url, origin);
      expect(other.headers.has('access-control-allow-origin')).toBe(false);
      const answer = await fetch(`${url}/v1/kinds`, { headers: { ...authorization, origin } });
      expect(answer.headers.has('access-control-allow-origin')).toBe(false);
      expect(answer.status).toBe(keys.apiKey === undefined ? 403 : 200);
    }
    if (keys.apiKey !== undefined)
      expect((await fetch(`${url}/v1/kinds`, { headers: { origin: app } })).status).toBe(401);
  });
});

it('names no origin by default, and any only with keys', async () => {
  const url = await started({ apiKey: key });
  expect((await preflight(url, app)).status).toBe(401);
  await expect(started({ cors: ['*'] })).rejects.toThrow(/--cors \*.*name the origins/);
  await expect(started({ cors: ['app.example'] })).rejects.toThrow(
    'Setting cors[0]: expected an origin such as https://app.example.',
  );
  const open = await started({ apiKey: key, cors: ['*'] });
  const asked = await preflight(open, 'https://anywhere.example');
  expect(asked.headers.get('access-control-allow-origin')).toBe('https://anywhere.example');
});
