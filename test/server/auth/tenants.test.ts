/** Several API keys on one server: what each may see, do, and what ends with it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyRing } from '#server/auth/keys.js';
import { addKey, type RunningServer } from '#server/main.js';
import { SaeEvalClient } from '#src/client/index.js';
import type { EvaluationRecord } from '#src/schema/record.js';
import {
  post,
  serve,
  shippedRoot,
  smallRequest,
  temporaryFolder,
  until,
  untilReady,
} from '../harness.js';

const folder = temporaryFolder();
const file = join(folder.path, 'keys.json');
const keys = {
  alice: addKey({ file, label: 'alice' }),
  bob: addKey({ file, label: 'bob' }),
  dash: addKey({ file, label: 'dash', role: 'read' }),
  root: addKey({ file, label: 'root', role: 'admin' }),
  eve: addKey({ file, label: 'eve' }),
};
type Name = keyof typeof keys;
const as = (name: Name): { authorization: string } => ({ authorization: `Bearer ${keys[name]}` });

let server: RunningServer;
beforeAll(async () => {
  server = await serve(folder.path, { apiKeys: file, roots: [shippedRoot(folder.path)] });
  await untilReady(server.url);
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

async function status(name: Name, path: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(`${server.url}${path}`, { ...init, headers: { ...as(name) } });
  await answer.arrayBuffer();
  return answer.status;
}
const json = { 'content-type': 'application/json' };
const postAs = (name: Name, path: string, body: unknown): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { ...json, ...as(name) },
    body: JSON.stringify(body),
  });
async function evaluated(name: Name, overrides = {}): Promise<EvaluationRecord> {
  const answer = await postAs(name, '/v1/evaluations?wait=60', smallRequest(overrides));
  expect(answer.status).toBe(200);
  return (await answer.json()) as EvaluationRecord;
}
async function idsOf(name: Name, query = ''): Promise<string[]> {
  const answer = await fetch(`${server.url}/v1/evaluations?${query}`, { headers: as(name) });
  return ((await answer.json()) as { items: { id: string }[] }).items.map(({ id }) => id);
}
/** Minutes long. */
const long = { dataset: { path: 'checkpoints/eval', maxSamples: 100_000, seqLen: 64 } };

describe('an evaluation', () => {
  it('is there for its key and for admins, and absent for others', async () => {
    const { id, shared, submittedBy } = await evaluated('alice', {
      name: 'of alice',
      latents: 1,
    });
    expect({ shared, submittedBy }).toEqual({ shared: false, submittedBy: 'alice' });
    const paths = [
      `/v1/evaluations/${id}`,
      `/v1/evaluations/${id}?fields=summary`,
      `/v1/evaluations/${id}/events`,
      `/v1/evaluations/${id}/report`,
      `/v1/evaluations/${id}/sums`,
      `/v1/evaluations/${id}/latents`,
    ];
    for (const path of paths) {
      const seen = await Promise.all(
        (['alice', 'root', 'bob', 'dash'] as const).map((name) => status(name, path)),
      );
      expect({ path, seen }).toEqual({ path, seen: [200, 200, 404, 404] });
    }
    // Word for word what an id answers that never was.
    const answers = await Promise.all(
      [id, 'never-was'].map(async (one) => {
        const answer = await fetch(`${server.url}/v1/evaluations/${one}`, { headers: as('bob') });
        const { instance: _, ...problem } = (await answer.json()) as Record<string, unknown>;
        return { ...problem, detail: String(problem['detail']).replace(one, 'ID') };
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(await idsOf('alice')).toContain(id);
    expect(await idsOf('root')).toContain(id);
    for (const query of ['', 'q=alice', 'name=of+alice', 'sort=strict.KLDivPerToken'])
      expect(await idsOf('bob', query)).toEqual([]);
    expect(await status('bob', `/v1/evaluations/${id}`, { method: 'DELETE' })).toBe(404);
    for (const [path, body] of [
      [`/v1/evaluations/${id}/rerun`, {}],
      ['/v1/reports', { evaluations: [id] }],
      ['/v1/comparisons', { base: id, others: [id] }],
    ] as const) {
      expect((await postAs('bob', path, body)).status).toBe(404);
    }
    expect((await postAs('alice', '/v1/reports', { evaluations: [id] })).status).toBe(200);
    expect(await status('root', `/v1/evaluations/${id}`, { method: 'DELETE' })).toBe(204);
  });

  it('that is shared can be read by all, and ended by its key and admins alone', async () => {
    const { id, shared } = await evaluated('alice', { shared: true });
    expect(shared).toBe(true);
    for (const name of ['bob', 'dash'] as const) {
      expect(await idsOf(name)).toEqual([id]);
      expect(await status(name, `/v1/evaluations/${id}/report?format=csv`)).toBe(200);
      expect((await postAs(name, '/v1/reports', { evaluations: [id] })).status).toBe(200);
      expect(await status(name, `/v1/evaluations/${id}`, { method: 'DELETE' })).toBe(403);
    }
    expect(await status('alice', `/v1/evaluations/${id}`, { method: 'DELETE' })).toBe(204);
  });

  it('has an Idempotency-Key of its key', async () => {
    const ids = await Promise.all(
      (['alice', 'bob', 'alice'] as const).map(async (name) => {
        const answer = await post(server.url, smallRequest(), {
          ...as(name),
          'idempotency-key': 'one',
        });
        return ((await answer.json()) as EvaluationRecord).id;
      }),
    );
    expect(ids[0]).toBe(ids[2]);
    expect(ids[0]).not.toBe(ids[1]);
  });
});

describe('a key of role read', () => {
  it('reads lists and metrics, and changes nothing', async () => {
    for (const path of ['/metrics', '/v1/evaluations', '/v1/devices', '/v1/kinds', '/v1/workers'])
      expect({ path, status: await status('dash', path) }).toEqual({ path, status: 200 });
    const refused = await post(server.url, smallRequest(), as('dash'));
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: 'forbidden' });
    await expect(
      new SaeEvalClient(server.url, { apiKey: keys.dash }).cancel('any'),
    ).rejects.toMatchObject({ status: 403, code: 'forbidden' });
  });
});

describe('a key that is revoked', () => {
  it('loses its streams, its waits and its work; others see nothing of it', async () => {
    const record = (await (
      await post(server.url, smallRequest(long), as('eve'))
    ).json()) as EvaluationRecord;
    const queued = (await (
      await post(server.url, smallRequest(long), as('eve'))
    ).json()) as EvaluationRecord;
    const statusOf = async (id: string): Promise<EvaluationRecord> =>
      (await (
        await fetch(`${server.url}/v1/evaluations/${id}`, { headers: as('root') })
      ).json()) as EvaluationRecord;
    await until(async () => (await statusOf(record.id)).status === 'running', {
      what: 'the start',
    });

    const devicesOf = async (name: Name): Promise<unknown> =>
      (
        (await (await fetch(`${server.url}/v1/devices`, { headers: as(name) })).json()) as {
          items: { name: string; busy: boolean; running: string | null }[];
        }
      ).items.find((device) => device.name === 'cpu');
    expect(await devicesOf('eve')).toMatchObject({ busy: true, running: record.id });
    expect(await devicesOf('bob')).toMatchObject({ busy: true, running: null });

    const stream = fetch(`${server.url}/v1/evaluations/${record.id}/events`, {
      headers: as('eve'),
    }).then((answer) => answer.text());
    const waiting = fetch(`${server.url}/v1/evaluations?wait=300`, {
      method: 'POST',
      headers: { ...json, ...as('eve') },
      body: JSON.stringify(smallRequest(long)),
    });
    await until(async () => (await idsOf('eve')).length === 3, { what: 'the third' });

    const { keys: entries } = JSON.parse(readFileSync(file, 'utf8')) as {
      keys: { label: string }[];
    };
    const rest = entries.filter(({ label }) => label !== 'eve');
    writeFileSync(file, JSON.stringify({ keys: rest }));
    expect(await stream).toMatch(/: the API key was revoked\n\n$/);
    expect((await waiting).status).toBe(401);
    for (const id of [record.id, queued.id]) {
      await until(async () => (await statusOf(id)).status === 'cancelled', { what: 'the end' });
      expect((await statusOf(id)).error?.message).toMatch(/'eve' was revoked/);
    }
    expect(await status('eve', '/v1/kinds')).toBe(401);
    expect(await status('alice', '/v1/kinds')).toBe(200);
  });

  it('is one that has expired, too; one label is that of one key', () => {
    const other = join(folder.path, 'other.json');
    const expiring = addKey({ file: other, label: 'x', days: 0.5 / (24 * 3600) });
    const lasting = addKey({ file: other, label: 'y', days: 1 });
    const ring = new KeyRing(other, undefined);
    const found = ring.find(expiring)!;
    expect(found.revoked.aborted).toBe(false);
    return until(
      () => {
        ring.refresh();
        return found.revoked.aborted && ring.find(expiring) === null;
      },
      { what: 'the key to expire' },
    ).then(() => {
      expect(ring.find(lasting)).toMatchObject({ label: 'y', role: 'submit' });
      const { keys: entries } = JSON.parse(readFileSync(other, 'utf8')) as { keys: object[] };
      writeFileSync(other, JSON.stringify({ keys: [entries[0], { ...entries[1], label: 'x' }] }));
      expect(() => new KeyRing(other, undefined)).toThrow(/two keys are labelled 'x'/);
    });
  });
});

describe('a caller that leaves', () => {
  it('leaves nothing behind of a submission that was not accepted yet', async () => {
    const before = (await idsOf('root', 'limit=100')).length;
    const calls = Array.from({ length: 12 }, () => {
      const controller = new AbortController();
      const call = fetch(`${server.url}/v1/evaluations`, {
        method: 'POST',
        headers: { ...json, ...as('alice') },
        body: JSON.stringify(smallRequest({ name: 'unborn' })),
        signal: controller.signal,
      }).catch(() => null);
      return { controller, call };
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const { controller } of calls) controller.abort();
    await Promise.all(calls.map(({ call }) => call));
    // Everything that was to be inspected has been, when another one was.
    await evaluated('bob');
    expect((await idsOf('alice', 'name=unborn')).length).toBe(0);
    expect((await idsOf('root', 'limit=100')).length).toBe(before + 1);
  });
});
