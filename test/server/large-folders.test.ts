/** Roots that hold far more than a list shows, and files far larger than those of a model. */
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { full } from '../full.js';
import { packageRoot, serve, temporaryFolder, until } from './harness.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

interface Item {
  path: string;
  error: { code: string; message: string } | null;
}
interface List {
  items: Item[];
  truncated: boolean;
  pending: number;
}

describe('a folder of very many files', () => {
  const count = full ? 200_000 : 3000;
  const root = join(folder.path, 'many');
  let server: RunningServer;
  beforeAll(async () => {
    mkdirSync(root);
    for (let i = 0; i < count; i++) writeFileSync(join(root, `text-${i}.jsonl`), '');
    for (let i = 0; i < 510; i++) writeFileSync(join(root, `sae-${i}.pt`), '');
    server = await serve(folder.path, { roots: [root], db: join(folder.path, 'many.db') });
  }, 300_000);
  afterAll(() => server.close());

  it('has lists of a bounded length, which hold up nothing', { timeout: 300_000 }, async () => {
    const began = performance.now();
    let isOver = false;
    const lists = Promise.all(
      ['datasets', 'checkpoints'].map(async (name): Promise<List> => {
        const answer = await fetch(`${server.url}/v1/${name}`);
        expect(answer.status).toBe(200);
        return (await answer.json()) as List;
      }),
    ).finally(() => (isOver = true));
    let slowest = 0;
    while (!isOver) {
      const asked = performance.now();
      await (await fetch(`${server.url}/healthz`)).text();
      slowest = Math.max(slowest, performance.now() - asked);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const [texts, saes] = await lists;
    if (full)
      console.warn(
        `${count} files: lists after ${Math.round(performance.now() - began)} ms, slowest ` +
          `/healthz ${Math.round(slowest)} ms`,
      );
    expect(texts).toMatchObject({ truncated: true, items: { length: 500 } });
    expect(saes).toMatchObject({ truncated: true, items: { length: 500 } });
    expect(texts!.items[0]).toMatchObject({ path: '.', files: count });
  });
});

describe.runIf(full)('a configuration of 57 MiB', () => {
  const root = join(folder.path, 'large');
  const bytes = 57 * 1024 * 1024;
  let server: RunningServer;
  beforeAll(async () => {
    mkdirSync(root);
    cpSync(join(packageRoot, 'checkpoints/tiny-llama'), join(root, 'z-good'), { recursive: true });
    for (const [name, text] of [
      ['a-lists', `{"a":[${'[],'.repeat(bytes / 3)}[]]}`],
      ['b-deep', `{"a":${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}}`],
      ['c-text', `{"a":"${'x'.repeat(bytes)}"}`],
    ] as const) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'config.json'), text);
      copyFileSync(
        join(packageRoot, 'checkpoints/TopK_tiny.pt'),
        join(root, name, 'pytorch_model.bin'),
      );
    }
    server = await serve(folder.path, { roots: [root], db: join(folder.path, 'large.db') });
  });
  afterAll(() => server.close());

  it('is an error of its own; the other models are listed', async () => {
    let list: List | undefined;
    await until(
      async () => {
        const answer = await fetch(`${server.url}/v1/models`);
        expect(answer.status).toBe(200);
        list = (await answer.json()) as List;
        return list.pending === 0;
      },
      { what: 'all models to be read', seconds: 100 },
    );
    const { items } = list!;
    expect(items.map(({ path, error }) => [path, error === null])).toEqual([
      ['a-lists', false],
      ['b-deep', false],
      ['c-text', false],
      ['z-good', true],
    ]);
    for (const { path, error } of items.slice(0, 3)) expect(error!.message).toContain(path);
  });
});
