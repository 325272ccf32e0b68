/** Lists below roots with files that take long to read. */
import { copyFileSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import type { CheckpointEntry } from '#src/schema/catalogue.js';
import { packageRoot, serve, temporaryFolder } from './harness.js';

const folder = temporaryFolder();
const root = join(folder.path, 'root');
let server: RunningServer;

beforeAll(async () => {
  mkdirSync(root);
  // A pickle that pushes and drops a number millions of times, and repeats what it is: seconds.
  const steps = Buffer.alloc(3 * 3_900_000, Buffer.from('K\x010', 'latin1'));
  const more = Buffer.alloc(60_000_000, Buffer.from('\x80\x02', 'latin1'));
  writeFileSync(join(root, 'a-slow.pt'), Buffer.concat([more, steps, Buffer.from('N.')]));
  linkSync(join(root, 'a-slow.pt'), join(root, 'b-slow.pt'));
  copyFileSync(join(packageRoot, 'checkpoints/TopK_tiny.pt'), join(root, 'z-good.pt'));
  server = await serve(folder.path, { roots: [root], inspectTimeout: 3 });
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

it('are answered with what is known; slow files fail one by one and are remembered', async () => {
  const list = async (): Promise<{ items: CheckpointEntry[]; pending: number; ms: number }> => {
    const began = performance.now();
    const answer = await fetch(`${server.url}/v1/checkpoints`);
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { items: CheckpointEntry[]; pending: number };
    return { ...body, ms: performance.now() - began };
  };
  let found = await list();
  expect(found.items.length).toBe(3);
  expect(found.pending).toBeGreaterThan(0);
  expect(found.items[2]?.error?.code).toBe('unavailable');
  for (let i = 0; found.pending > 0 && i < 20; i++) found = await list();
  expect(found.items.map(({ path, error }) => [path, error?.message ?? null])).toEqual([
    ...['a-slow.pt', 'b-slow.pt'].map((path) => [
      path,
      `${path} could not be inspected: that takes longer than 3 s.`,
    ]),
    ['z-good.pt', null],
  ]);
  expect(found.items[2]?.candidates.length).toBeGreaterThan(0);
  expect((await list()).ms).toBeLessThan(1000);
}, 60_000);
