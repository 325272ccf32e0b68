/** The list of evaluations: filters, order, pages and headlines, over a store that was filled. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Store } from '#server/jobs/store.js';
import type { RunningServer } from '#server/main.js';
import {
  InvalidRequestError,
  SaeEvalClient,
  type EvaluationListItem,
  type ListOptions,
} from '#src/client/index.js';
import { resolvedRequestSchema, type EvaluationResult } from '#src/schema/index.js';
import { Database } from '#src/sqlite/database.js';
import { serve, smallRequest, temporaryFolder } from '../harness.js';

const folder = temporaryFolder();
let server: RunningServer;
let client: SaeEvalClient;
const names = ['beta', 'Alpha', 'alpha', null, 'beta', '步骤', null];

/** An SAE whose values are simple; every fifth one has none under `strict`. */
const sae = (run: number, index: number) => ({
  label: `step ${index}`,
  kind: 'TopK',
  error: null,
  reference: { NormMSE: (run * 7 + index) % 13, KLDiv: null },
  strict:
    run % 5 === 4
      ? null
      : {
          KLDivPerToken: { mean: ((run * 7 + index) % 11) / 8, ci95: null },
          ExplainedVariance: { mean: ((run * 3 + index) % 9) / 16 },
        },
});

beforeAll(async () => {
  const store = new Store(join(folder.path, 'jobs.db'));
  for (let run = 0; run < 42; run++) {
    const id = `run-${String(run).padStart(2, '0')}`;
    const name = names[run % names.length]!;
    store.evaluations.insert({
      id,
      device: 'cpu',
      submittedBy: null,
      client: 'someone',
      request: resolvedRequestSchema.parse({
        ...smallRequest({
          model: run % 4 === 0 ? 'checkpoints/Other' : 'checkpoints/tiny-llama',
          tags: [run % 2 === 0 ? 'even' : 'odd', ...(run % 3 === 0 ? ['third'] : [])],
          notes: run === 11 ? 'Élan %_' : '',
          metadata: { commit: `c0ffee${run}` },
        }),
        ...(name === null ? {} : { name }),
      }),
      paths: [],
      idempotencyKey: null,
      bodyHash: 'hash',
      trace: {},
    });
    const results = Array.from({ length: run === 9 ? 23 : 1 + (run % 3) }, (_, i) => sae(run, i));
    const result = { results, timing: { seconds: run % 6 } } as unknown as EvaluationResult;
    store.jobs.finish(
      id,
      run % 8 === 7 ? 'cancelled' : 'succeeded',
      run % 8 === 7 ? {} : { result },
    );
  }
  store.close();
  server = await serve(folder.path);
  client = new SaeEvalClient(server.url, { retries: 0 });
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

async function all(options: ListOptions, limit: number): Promise<EvaluationListItem[]> {
  const items: EvaluationListItem[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await client.list({
      ...options,
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    });
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

const best = (item: EvaluationListItem, key: string, of: (...all: number[]) => number) => {
  const values = item.headline?.saes.flatMap(({ values }) => values[key] ?? []) ?? [];
  return values.length === 0 ? null : of(...values);
};
const lower = (text: string | undefined): string | null =>
  text === undefined ? null : text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());

describe('a list', () => {
  it.each([
    ['createdAt', 'desc', (item: EvaluationListItem) => item.id],
    ['name', 'asc', (item: EvaluationListItem) => lower(item.request.name)],
    ['model', 'asc', (item: EvaluationListItem) => lower(item.request.model)],
    ['status', 'asc', (item: EvaluationListItem) => item.status],
    ['seconds', 'desc', (item: EvaluationListItem) => item.headline?.seconds ?? null],
    [
      'strict.KLDivPerToken',
      'asc',
      (item: EvaluationListItem) => best(item, 'strict.KLDivPerToken', Math.min),
    ],
    [
      'strict.ExplainedVariance',
      'desc',
      (item: EvaluationListItem) => best(item, 'strict.ExplainedVariance', Math.max),
    ],
  ] as const)('by %s is complete and in order over pages of any size', async (sort, usual, key) => {
    for (const order of ['asc', 'desc'] as const) {
      const items = await all({ sort, order }, 5);
      expect(new Set(items.map(({ id }) => id)).size).toBe(42);
      const keys = items.map((item): string | number | null => key(item));
      const there = keys.filter((value) => value !== null);
      expect(keys.slice(there.length).every((value) => value === null)).toBe(true);
      expect(there).toEqual(
        [...there].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0) * (order === 'asc' ? 1 : -1)),
      );
      // equal ones: the newest first
      if (sort !== 'createdAt')
        for (const [at, { id }] of items.entries())
          if (at > 0 && keys[at] === keys[at - 1]) expect(id < items[at - 1]!.id).toBe(true);
      expect((await all({ sort, order }, 100)).map(({ id }) => id)).toEqual(
        items.map(({ id }) => id),
      );
      if (order === usual)
        expect((await client.list({ sort, limit: 1 })).items[0]).toEqual(items[0]);
    }
  });

  it('keeps to what it is asked for', async () => {
    const ids = async (options: ListOptions): Promise<number[]> =>
      (await client.list({ limit: 100, order: 'asc', ...options })).items.map(({ id }) =>
        Number(id.slice(4)),
      );
    const every = Array.from({ length: 42 }, (_, run) => run);
    expect(await ids({ name: 'alpha' })).toEqual(every.filter((run) => run % 7 === 2));
    expect(await ids({ tag: 'odd' })).toEqual(every.filter((run) => run % 2 === 1));
    expect(await ids({ tag: ['third', 'odd'] })).toEqual(every.filter((run) => run % 6 === 3));
    expect(await ids({ tag: 'thir' })).toEqual([]);
    expect(await ids({ q: 'ALPHA' })).toEqual(every.filter((run) => [1, 2].includes(run % 7)));
    expect(await ids({ q: 'éLAN %_' })).toEqual([11]);
    expect(await ids({ q: 'C0FFEE7' })).toEqual([7]);
    expect(await ids({ q: 'topk_TINY' })).toEqual(every);
    expect(await ids({ q: 'step 3' })).toEqual([]);
    expect(await ids({ q: 'checkpoints/other', tag: 'third', status: 'succeeded' })).toEqual(
      every.filter((run) => run % 12 === 0),
    );
  });

  it('has the numbers of at most 20 SAEs, null without a result', async () => {
    const items = await all({}, 100);
    const of = (run: number) => items.find(({ id }) => id === `run-${run}`)!.headline;
    expect(of(23)).toBeNull();
    expect(of(14)).toEqual({
      saes: [0, 1, 2].map((index) => ({
        label: `step ${index}`,
        kind: 'TopK',
        values: { 'reference.NormMSE': (98 + index) % 13 },
      })),
      more: 0,
      seconds: 2,
    });
    expect(items.find(({ id }) => id === 'run-09')!.headline).toMatchObject({ more: 3 });
    expect(items.find(({ id }) => id === 'run-09')!.headline!.saes).toHaveLength(20);
    expect(items[0]).not.toHaveProperty('result');
  });

  it('makes a headline again whose bytes the disk changed', async () => {
    const before = (await client.list({ limit: 1 })).items;
    const db = new Database(join(folder.path, 'jobs.db'));
    db.exec("UPDATE listing SET headline = replace(headline, 'step 0', 'step 9')");
    db.close();
    expect((await client.list({ limit: 1 })).items).toEqual(before);
  });

  it('names what it cannot be sorted by, and refuses the cursor of another order', async () => {
    const refused = await client
      .list({ sort: 'strict.KLDivPerTokens' as never })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidRequestError);
    const { path, message } = (refused as InvalidRequestError).fields[0]!;
    expect(path).toBe('sort');
    for (const choice of ['createdAt', 'seconds', 'reference.KLDiv', 'strict.KLDivPerToken'])
      expect(message).toContain(choice);
    const { nextCursor } = await client.list({ limit: 2 });
    await expect(client.list({ sort: 'name', cursor: nextCursor! })).rejects.toThrow(
      'cursor: it continues a list by createdAt (desc), not by name (asc); leave it out',
    );
    await expect(client.list({ cursor: 'c2VxOjE' })).rejects.toThrow(/earlier page/);
  });
});
