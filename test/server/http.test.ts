/** Routes, statuses and headers of a server, over real sockets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import { errorTable } from '#src/errors.js';
import {
  checkpointListSchema,
  deviceListSchema,
  evaluationListSchema,
  evaluationRecordSchema,
  kindListSchema,
  metricListSchema,
  metricNames,
  modelListSchema,
  problemSchema,
} from '#src/schema/index.js';
import { post, serve, smallRequest, temporaryFolder, until, untilReady } from './harness.js';

const folder = temporaryFolder();
let server: RunningServer;
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}${path}`, { headers });

beforeAll(async () => {
  server = await serve(folder.path);
  await untilReady(server.url);
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

async function problem(response: Response, status: number, code: keyof typeof errorTable) {
  const body = problemSchema.parse(await response.json());
  expect({ status: response.status, code: body.code, type: body.type }).toEqual({
    status,
    code,
    type: `/problems/${code}`,
  });
  expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(JSON.stringify(body)).not.toMatch(/\bat .*\.js:\d+/);
  return body;
}

describe('catalogue', () => {
  it('lists the metrics of requests, with the fields of results', async () => {
    const { items } = metricListSchema.parse(await (await get('/v1/metrics')).json());
    expect(items.map(({ name }) => name)).toEqual(metricNames);
    const kl = items.find(({ name }) => name === 'KLDiv')!;
    expect(kl.needs).toEqual({ splice: true, zero: false });
    expect(kl.fields.find(({ field }) => field === 'KLDivPerToken')).toMatchObject({
      protocol: 'strict',
      name: { en: 'KL per token', zh: '每词元 KL' },
      unit: 'nats per token',
      better: 'lower',
      shape: 'estimate',
      interval: true,
      perLayer: true,
      compared: true,
    });
    expect(await new SaeEvalClient(server.url).metrics()).toEqual(items);
  });

  it('lists kinds, checkpoints, models, texts and devices as the schemas say', async () => {
    expect(kindListSchema.parse(await (await get('/v1/kinds')).json()).items).toHaveLength(8);
    const checkpoints = checkpointListSchema.parse(
      await (await get('/v1/checkpoints')).json(),
    ).items;
    expect(checkpoints.find(({ path }) => path === 'checkpoints/RouteSAE_tiny.pt')).toMatchObject({
      candidates: ['RouteSAE'],
      d: 128,
      m: 1024,
      routedLayers: 9,
      error: null,
    });
    const models = modelListSchema.parse(await (await get('/v1/models')).json()).items;
    expect(models.find(({ path }) => path === 'checkpoints/tiny-llama')).toMatchObject({
      family: 'llama',
      layers: 16,
      width: 128,
      error: null,
    });
    expect(await (await get('/v1/datasets')).json()).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({ path: 'checkpoints/eval', files: 1 }),
      ]),
    });
    expect(deviceListSchema.parse(await (await get('/v1/devices')).json()).items[0]).toMatchObject({
      name: 'cpu',
    });
  });

  it('inspects a checkpoint', async () => {
    const response = await get('/v1/checkpoints/inspect?path=checkpoints/TopK_tiny.pt');
    expect(await response.json()).toMatchObject({
      format: 'pt-zip',
      candidates: ['TopK', 'MLSAE', 'Vanilla', 'RandomK'],
      d: 128,
      m: 1024,
      mustGive: { TopK: ['kind', 'layer', 'k'], Vanilla: ['kind', 'layer'] },
    });
  });
});

describe('problems', () => {
  it('names parameters that an address does not have', async () => {
    for (const [path, method, name] of [
      ['/v1/evaluations?stat=failed', 'GET', 'stat'],
      ['/v1/evaluations/unknown?kep=partial', 'DELETE', 'kep'],
      ['/v1/evaluations/unknown?feilds=summary', 'GET', 'feilds'],
      ['/v1/evaluations/unknown/report?fromat=md', 'GET', 'fromat'],
    ] as const) {
      const response = await fetch(`${server.url}${path}`, { method });
      const { errors } = await problem(response, 422, 'request-invalid');
      expect(errors).toEqual([
        {
          path: name,
          message: expect.stringMatching(/^is not a field of the query; did you mean/),
        },
      ]);
    }
  });

  it('says what is not there and what a method cannot do', async () => {
    const { detail } = await problem(await get('/v1/nothing'), 404, 'not-found');
    expect(detail).toContain('GET /docs lists the calls.');
    for (const [typed, meant] of [
      ['/v1/evaluation', '/v1/evaluations'],
      ['/v1/evaluations/some/reprot', '/v1/evaluations/some/report'],
    ] as const)
      expect((await problem(await get(typed), 404, 'not-found')).detail).toContain(
        `Perhaps ${meant} is meant.`,
      );
    await problem(await get('/v1/evaluations/unknown'), 404, 'not-found');
    await problem(await get('/v1/evaluations/%zz'), 404, 'not-found');
    const response = await fetch(`${server.url}/v1/evaluations`, { method: 'PUT' });
    expect(response.headers.get('allow')).toBe('GET, HEAD, POST');
    await problem(response, 405, 'method-not-allowed');
  });

  it('refuses bodies that are not JSON, not application/json, too large or encoded', async () => {
    const send = (body: string, headers: Record<string, string>): Promise<Response> =>
      fetch(`${server.url}/v1/evaluations`, { method: 'POST', headers, body });
    const cut = await problem(
      await send('{\n  "model":', { 'content-type': 'application/json' }),
      400,
      'body-malformed',
    );
    expect(cut.detail).toBe(
      'The body is not valid JSON: line 2, column 11: expected a value, found the end of the body.',
    );
    await problem(await send('', { 'content-type': 'application/json' }), 400, 'body-malformed');
    const key = await problem(
      await send('{"__proto__":{}}', { 'content-type': 'application/json' }),
      400,
      'body-malformed',
    );
    expect(key.detail).toContain('__proto__');
    await problem(
      await send('model', { 'content-type': 'text/plain' }),
      415,
      'media-type-unsupported',
    );
    await problem(
      await send('{}', { 'content-type': 'application/json', 'content-encoding': 'gzip' }),
      415,
      'media-type-unsupported',
    );
    const large = await problem(
      await send(`"${'a'.repeat(1_100_000)}"`, { 'content-type': 'application/json' }),
      413,
      'body-too-large',
    );
    expect(large.detail).toContain('at most 1048576 bytes');
  });

  it('takes a call without a body whose headers declare JSON', async () => {
    for (const [path, method] of [
      ['/v1/evaluations/unknown', 'DELETE'],
      ['/v1/evaluations/unknown/rerun', 'POST'],
    ] as const) {
      const headers = { 'content-type': 'application/json' };
      await problem(await fetch(`${server.url}${path}`, { method, headers }), 404, 'not-found');
    }
  });

  it('names every field at fault', async () => {
    const body = await problem(
      await post(server.url, {
        ...smallRequest(),
        saes: [{ checkpoint: '', k: 0 }],
        colour: 'red',
        inferK: 1,
        theta: 1,
      }),
      422,
      'request-invalid',
    );
    expect(body.errors?.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['saes[0].checkpoint', 'saes[0].k', 'colour']),
    );
    const said = await problem(
      await post(server.url, {
        dataset: { path: 'd', maxSamples: 0 },
        saes: [{ checkpoint: 'c', kind: 'topk' }],
        batch_size: 4,
      }),
      422,
      'request-invalid',
    );
    expect(said.errors!.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'model: is missing; expected a string',
      'dataset.maxSamples: expected at least 1, found 0',
      expect.stringMatching(/^saes\[0\]\.kind: expected one of .*"topk"; did you mean TopK\?$/),
      expect.stringMatching(/^batch_size: is not a field .*; did you mean batchSize\? The fields/),
    ]);
    const limit = await problem(await get('/v1/evaluations?limit=0'), 422, 'request-invalid');
    expect(limit.detail).toBe('limit: expected at least 1, found 0');
  });

  it('takes an Accept header at its word', async () => {
    await problem(await get('/v1/kinds', { accept: 'image/png' }), 406, 'not-acceptable');
    expect((await get('/v1/kinds', { accept: 'text/html;q=0.5, application/*' })).status).toBe(200);
  });

  it('describes each type under its address', async () => {
    for (const [code, { title, status }] of Object.entries(errorTable))
      expect(await (await get(`/problems/${code}`)).json()).toEqual({
        type: `/problems/${code}`,
        title,
        status,
      });
    await problem(await get('/problems/toString'), 404, 'not-found');
  });
});

describe('what every answer carries', () => {
  it('has security headers, and an ETag that gives 304', async () => {
    const response = await get('/v1/kinds');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const tag = response.headers.get('etag')!;
    const again = await get('/v1/kinds', { 'if-none-match': tag });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
  });

  it('is compressed when that helps', async () => {
    expect(
      (await get('/openapi.json', { 'accept-encoding': 'gzip' })).headers.get('content-encoding'),
    ).toBe('gzip');
  });
});

describe('list', () => {
  it('refuses filters and cursors it does not know', async () => {
    await problem(await get('/v1/evaluations?status=lost'), 422, 'request-invalid');
    await problem(await get('/v1/evaluations?limit=0'), 422, 'request-invalid');
    for (const limit of ['abc', '', '2.5', '0x10']) {
      const { errors } = await problem(
        await get(`/v1/evaluations?limit=${limit}`),
        422,
        'request-invalid',
      );
      const found = limit === '2.5' ? limit : JSON.stringify(limit);
      expect(errors![0]!.message).toMatch(/^expected a (?:whole )?number, found /);
      expect(errors![0]!.message.endsWith(`found ${found}`)).toBe(true);
    }
    expect((await get('/v1/evaluations?limit=2')).status).toBe(200);
    await problem(await get('/v1/evaluations?cursor=abc'), 422, 'request-invalid');
    expect(
      evaluationListSchema.parse(
        await (await get('/v1/evaluations?status=queued,running&label=x')).json(),
      ).items,
    ).toEqual([]);
  });
});

describe('documents', () => {
  it('serves OpenAPI 3.1 with every route, the docs and the metrics', async () => {
    const document = await (await get('/openapi.json')).json();
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([
      '/healthz',
      '/metrics',
      '/problems/{code}',
      '/readyz',
      '/v1/caller',
      '/v1/checkpoints',
      '/v1/checkpoints/inspect',
      '/v1/comparisons',
      '/v1/datasets',
      '/v1/devices',
      '/v1/evaluations',
      '/v1/evaluations/{id}',
      '/v1/evaluations/{id}/events',
      '/v1/evaluations/{id}/latents',
      '/v1/evaluations/{id}/report',
      '/v1/evaluations/{id}/rerun',
      '/v1/evaluations/{id}/shards',
      '/v1/evaluations/{id}/sums',
      '/v1/kinds',
      '/v1/metrics',
      '/v1/models',
      '/v1/reports',
      '/v1/workers',
    ]);
    const { schemas } = document.components;
    expect(schemas.EvaluationRequest.required).toEqual(['model', 'dataset', 'saes']);
    expect(schemas.ResolvedDataset.required).toContain('seqLen');
    // No twins, none without a use, every answer described, every reference there.
    const text = JSON.stringify(document);
    const named = new Set(
      [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map((all) => all[1]),
    );
    expect(Object.keys(schemas).sort()).toEqual([...named].sort());
    expect(Object.keys(schemas).filter((name) => name.endsWith('Input'))).toEqual([]);
    expect(text).not.toContain('Default Response');
    expect(text).toContain('EvaluationRecord');
    // Who may not call is told so.
    const { get: list, post: submit } = document.paths['/v1/evaluations'];
    for (const { responses } of [list, submit])
      expect(responses).toMatchObject({ 401: {}, 403: {} });
    expect(document.paths['/healthz'].get.responses).not.toHaveProperty('401');
  });

  it('has examples that work on the shipped files', async () => {
    const { schemas } = (await (await get('/openapi.json')).json()).components;
    const [example] = schemas.EvaluationRequest.examples;
    const answer = await post(server.url, { ...example, device: 'cpu' }, {});
    expect(answer.status).toBe(202);
    const { id } = (await answer.json()) as { id: string };
    const again = await fetch(`${server.url}/v1/evaluations/${id}/rerun`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(schemas.RequestPatch.examples[0]),
    });
    expect(again.status).toBe(202);
    const { id: second } = (await again.json()) as { id: string };
    // Cancels both, and removes them when they have ended.
    for (const one of [second, id])
      await until(
        async () =>
          (await fetch(`${server.url}/v1/evaluations/${one}`, { method: 'DELETE' })).status === 404,
        { what: 'the example to be gone' },
      );
  });

  it('are served under our own name, with the metrics', async () => {
    const page = await get('/docs/');
    expect(await page.text()).toContain('<title>sae-eval: API</title>');
    const script = await (await get('/docs/static/swagger-initializer.js')).text();
    expect(script).toContain('image/svg+xml');
    const logo = /data:image\/svg\+xml;base64,([\w+/=]+)/.exec(script)?.[1] ?? '';
    expect(Buffer.from(logo, 'base64').toString()).toContain('>sae-eval</text>');
    expect(await (await get('/metrics')).text()).toContain('sae_eval_queue_length{device="cpu"} 0');
    expect((await get('/metrics')).headers.get('content-type')).toContain('text/plain');
  });
});

describe('an evaluation', () => {
  it('is accepted, listed, waited for, reported on and removed', async () => {
    const accepted = await post(
      server.url,
      smallRequest({
        saes: [
          { kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16, label: 'mine' },
        ],
      }),
    );
    expect(accepted.status).toBe(202);
    const { id, request } = evaluationRecordSchema.parse(await accepted.json());
    const location = new URL(accepted.headers.get('location')!, accepted.url);
    expect(location.href).toBe(`${server.url}/v1/evaluations/${id}`);
    expect(request).toMatchObject({ device: 'cpu', seed: 42, saes: [{ label: 'mine' }] });
    const waited = await post(server.url, smallRequest({ seed: 7 }), {});
    const second = evaluationRecordSchema.parse(await waited.json());

    await problem(await get(`/v1/evaluations/${second.id}/report`), 409, 'not-finished');
    const done = await fetch(`${server.url}/v1/evaluations?wait=60`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(smallRequest({ seed: 8 })),
    });
    expect(done.status).toBe(200);
    const record = evaluationRecordSchema.parse(await done.json());
    expect(record).toMatchObject({
      status: 'succeeded',
      attempts: 1,
      error: null,
      progress: { samples: 8, secondsLeft: 0 },
    });
    expect(record.result?.results[0]?.reference?.NormMSE).toBeGreaterThan(0);

    for (const path of [
      `/v1/evaluations/${id}`,
      ...['md', 'html', 'json', 'csv'].map(
        (format) => `/v1/evaluations/${id}/report?format=${format}`,
      ),
    ]) {
      const tag = (await get(path)).headers.get('etag')!;
      expect({ path, status: (await get(path, { 'if-none-match': tag })).status }).toEqual({
        path,
        status: 304,
      });
    }
    const mine = evaluationListSchema.parse(await (await get('/v1/evaluations?label=mine')).json());
    expect(mine.items.map((item) => item.id)).toEqual([id]);

    const firstPage = evaluationListSchema.parse(
      await (await get('/v1/evaluations?limit=2')).json(),
    );
    expect(firstPage.items.map((item) => item.id)).toEqual([record.id, second.id]);
    const nextPage = evaluationListSchema.parse(
      await (await get(`/v1/evaluations?limit=2&cursor=${firstPage.nextCursor}`)).json(),
    );
    expect(nextPage.items.map((item) => item.id)).toEqual([id]);
    expect(nextPage.nextCursor).toBeNull();

    const remove = (expected = ''): Promise<Response> =>
      fetch(`${server.url}/v1/evaluations/${id}${expected}`, { method: 'DELETE' });
    await problem(await remove('?expect=active'), 409, 'already-ended');
    await problem(await remove('?expect=gone'), 422, 'request-invalid');
    expect((await get(`/v1/evaluations/${id}`)).status).toBe(200);
    expect((await remove()).status).toBe(204);
    await problem(await remove(), 404, 'not-found');
  });

  it('has reports whose drawing keeps nobody waiting', async () => {
    const { items } = evaluationListSchema.parse(
      await (await get('/v1/evaluations?status=succeeded')).json(),
    );
    const order: string[] = [];
    const ask = async (name: string, answer: Promise<Response>): Promise<void> => {
      expect((await answer).status).toBe(200);
      order.push(name);
    };
    const reports = Array.from({ length: 20 }, () =>
      ask('report', get(`/v1/evaluations/${items[0]!.id}/report?format=html`)),
    );
    for (let other = 0; other < 5; other++) await ask('other', get('/v1/kinds'));
    await Promise.all(reports);
    // Drawn on the server's own thread, all twenty would come before the first answer that was
    // asked for after them.
    expect(order.lastIndexOf('other'), order.join(', ')).toBeLessThan(5 + 15);
  });

  it('is the same for the same Idempotency-Key and body; another body is refused', async () => {
    const send = (body: unknown): Promise<Response> =>
      post(server.url, body, { 'idempotency-key': 'key-1' });
    const answers = await Promise.all([
      send(smallRequest()),
      send({ ...smallRequest(), seed: 42 }),
      send(smallRequest()),
    ]);
    const ids = await Promise.all(answers.map(async (answer) => (await answer.json()).id));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(new Set(ids).size).toBe(1);
    await problem(await send(smallRequest({ seed: 1 })), 422, 'idempotency-mismatch');
    await problem(
      await post(server.url, smallRequest(), { 'idempotency-key': 'k'.repeat(256) }),
      422,
      'request-invalid',
    );
  });
});
