/** Evaluations that are run again, with and without changes, and one that is stopped. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mergePatch } from '#server/merge-patch.js';
import type { RunningServer } from '#server/main.js';
import {
  InvalidRequestError,
  NotFoundError,
  SaeEvalClient,
  type EvaluationRecord,
} from '#src/client/index.js';
import { serve, smallRequest, temporaryFolder, untilReady } from '../harness.js';

// The examples of RFC 7396, appendix A.
it.each([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('a merge patch of %j with %j is %j', (target, patch, result) => {
  expect(mergePatch(target, patch)).toEqual(result);
});

it('a merge patch that is nested beyond all requests is no fault of the program', () => {
  let patch: object = {};
  for (let depth = 0; depth < 200_000; depth++) patch = { a: patch };
  expect(mergePatch({}, patch)).toHaveProperty('a');
});

describe('an evaluation that is run again', () => {
  const folder = temporaryFolder();
  let server: RunningServer;
  let client: SaeEvalClient;
  let first: EvaluationRecord;

  beforeAll(async () => {
    server = await serve(folder.path);
    client = new SaeEvalClient(server.url, { retries: 0 });
    await untilReady(server.url);
    first = await client.evaluate(
      smallRequest({ name: 'first', tags: ['a', 'b'], metadata: { commit: '1c9e0f', by: 'ana' } }),
      { wait: true },
    );
  });
  afterAll(async () => {
    await server.close();
    folder.remove();
  });

  const topK = { kind: 'TopK', layer: 16, k: 16 } as const;
  const post = (body: string, headers: Record<string, string> = {}, query = '') =>
    fetch(`${server.url}/v1/evaluations/${first.id}/rerun${query}`, {
      method: 'POST',
      headers,
      body,
    });

  it('has the same request and numbers, and says what it repeats', async () => {
    expect(first.rerunOf).toBeNull();
    const again = await client.rerun(first.id, {}, { wait: true });
    expect(again.id).not.toBe(first.id);
    expect(again.rerunOf).toBe(first.id);
    expect(again.request).toEqual(first.request);
    expect(again.result!.results).toEqual(first.result!.results);
    expect((await client.list()).items.map(({ rerunOf }) => rerunOf)).toEqual([first.id, null]);
  });

  it('is patched: objects merged, lists replaced, null taken back to the default', async () => {
    const answer = await post(
      JSON.stringify({
        name: null,
        tags: ['c'],
        metadata: { commit: '2d0f1a' },
        dataset: { maxSamples: 4 },
        batchSize: null,
        saes: [{ checkpoint: 'checkpoints/RouteSAE_tiny.pt', k: 8 }],
      }),
      { 'content-type': 'application/merge-patch+json' },
      '?wait=60',
    );
    expect(answer.status).toBe(200);
    const record = (await answer.json()) as EvaluationRecord;
    expect(new URL(answer.headers.get('location')!, answer.url).pathname).toBe(
      `/v1/evaluations/${record.id}`,
    );
    const { name: _, ...request } = first.request;
    expect(record).toMatchObject({ rerunOf: first.id, status: 'succeeded' });
    expect(record.request).toEqual({
      ...request,
      tags: ['c'],
      metadata: { commit: '2d0f1a', by: 'ana' },
      dataset: { ...request.dataset, maxSamples: 4 },
      batchSize: 64,
      saes: [
        {
          checkpoint: 'checkpoints/RouteSAE_tiny.pt',
          kind: 'RouteSAE',
          label: 'RouteSAE',
          k: 8,
          routing: 'hard',
          aggregation: 'sum',
        },
      ],
    });
    expect(record.result!.data.samples).toBe(4);
  });

  it.each([
    ['', {}],
    ['', { 'content-type': 'application/json' }],
    ['{}', { 'content-type': 'application/json; charset=utf-8' }],
  ])('may have no body, or an empty patch: %j %j', async (body, headers) => {
    const key = { ...headers, 'idempotency-key': 'once' } as Record<string, string>;
    const answer = await fetch(`${server.url}/v1/evaluations/${first.id}/rerun`, {
      method: 'POST',
      headers: key,
      ...(body === '' && Object.keys(headers).length === 0 ? {} : { body }),
    });
    expect(answer.status).toBe(202);
    const { id } = (await answer.json()) as EvaluationRecord;
    expect((await client.list({ limit: 100 })).items.filter((item) => item.id === id).length).toBe(
      1,
    );
    expect((await client.list()).items).toHaveLength(4);
  });

  it('is refused with the field at fault', async () => {
    const refused = (await client
      .rerun(first.id, { saes: [{ ...first.request.saes[0]!, k: 0 }] })
      .catch((error: unknown) => error)) as InvalidRequestError;
    expect(refused).toBeInstanceOf(InvalidRequestError);
    expect(refused.fields.map(({ path }) => path)).toEqual(['saes[0].k']);
    await expect(client.rerun(first.id, { saes: null })).rejects.toMatchObject({
      fields: [{ path: 'saes' }],
    });
    await expect(client.rerun('nobody')).rejects.toBeInstanceOf(NotFoundError);
    for (const [body, type, status] of [
      ['[]', 'application/json', 422],
      ['null', 'application/merge-patch+json', 422],
      ['{', 'application/json', 400],
      ['name: x', 'application/yaml', 415],
    ] as const)
      expect((await post(body, { 'content-type': type })).status).toBe(status);
    const elsewhere = await fetch(`${server.url}/v1/evaluations`, {
      method: 'POST',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify(smallRequest()),
    });
    expect(elsewhere.status).toBe(415);
  });

  it('that is stopped keeps what it did; one that waits has nothing to keep', async () => {
    const long = { dataset: { maxSamples: 150, seqLen: 256 }, batchSize: 8, inferK: [4, 8, 16] };
    const running = await client.rerun(first.id, long);
    const waiting = await client.rerun(first.id, long);
    expect(await client.cancel(waiting.id, { keep: 'partial' })).toMatchObject({
      status: 'cancelled',
      stopped: false,
      error: { code: 'cancelled' },
    });
    for await (const { event, data } of client.watch(running.id))
      if (event === 'progress' && (data.progress?.samples ?? 0) > 0)
        await client.cancel(running.id, { keep: 'partial' });
    const record = await client.get(running.id);
    expect(record).toMatchObject({ status: 'cancelled', stopped: true, error: null });
    expect(record.result).toMatchObject({ status: 'cancelled', stopped: true });
    const { samples, warnings } = record.result!.data;
    expect(samples).toBeGreaterThan(0);
    expect(samples).toBeLessThan(150);
    expect(warnings.at(-1)!.en).toContain(`stopped after ${samples} of 150 samples`);
    expect(await client.report(running.id)).toContain(`over the ${samples} samples done`);
    expect((await fetch(`${server.url}/v1/evaluations/${running.id}/sums`)).status).toBe(200);
    // Runs of different texts are refused; one is its own equal.
    await expect(
      client.compareInPairs({ base: first.id, others: [running.id] }),
    ).rejects.toMatchObject({ code: 'not-comparable', status: 422 });
    await expect(
      client.compareInPairs({ base: first.id, others: [waiting.id] }),
    ).rejects.toMatchObject({ code: 'not-finished', status: 409 });
    const { runs, base } = await client.compareInPairs({
      base: first.id,
      others: [first.id],
      metrics: ['NormMSE'],
    });
    expect(base).toEqual({ id: first.id, name: first.id });
    expect(runs[0]!.differences.map(({ difference, metric }) => [metric, difference])).toEqual(
      runs[0]!.differences.map(() => ['NormMSE', 0]),
    );
    expect(runs[0]!.differences.length).toBeGreaterThan(0);
    const [item] = (await client.list({ status: 'cancelled', order: 'asc' })).items;
    expect(item).toMatchObject({ id: running.id, stopped: true });
    expect(item!.headline!.saes[0]!.values).toHaveProperty(['strict.KLDivPerToken']);
    // Nobody who wants to keep numbers loses them.
    const late = `${server.url}/v1/evaluations/${running.id}?keep=partial`;
    expect((await fetch(late, { method: 'DELETE' })).status).toBe(409);
    expect((await client.get(running.id)).result).toEqual(record.result);
  });

  it('has the SAEs that a pattern of the first one found', async () => {
    const named = await client.evaluate(
      smallRequest({
        saes: [{ checkpoints: 'checkpoints/{TopK,Vanilla}_tiny.pt', ...topK, label: 'all' }],
      }),
      { wait: true },
    );
    expect(named.request.saes).toEqual([
      { ...topK, checkpoint: 'checkpoints/TopK_tiny.pt', label: 'all TopK_tiny' },
      { ...topK, checkpoint: 'checkpoints/Vanilla_tiny.pt', label: 'all Vanilla_tiny' },
    ]);
    expect(named.result!.results.map(({ error }) => error)).toEqual([null, null]);
    const again = await client.rerun(named.id, {});
    expect(again.request.saes).toEqual(named.request.saes);
    const wrong = [
      { checkpoints: 'checkpoints/*.pth', ...topK },
      { checkpoints: '../*.pt', ...topK },
      { checkpoints: 'checkpoints/eval', ...topK },
    ];
    const refused = client.evaluate(smallRequest({ saes: wrong }));
    await expect(refused).rejects.toBeInstanceOf(InvalidRequestError);
    const { fields } = (await refused.catch((error: unknown) => error)) as InvalidRequestError;
    expect(fields.map(({ path }) => path)).toEqual(
      [0, 1, 2].map((at) => `saes[${at}].checkpoints`),
    );
    expect(fields[0]!.message).toContain('nothing in checkpoints matches *.pth');
    expect(fields[1]!.message).toContain('outside');
    expect(fields[2]!.message).toMatch(/^checkpoints\/eval: no SAE lies below this folder/);
  });
});
