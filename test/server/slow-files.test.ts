/** Lists below roots with files that take long to read. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import type { CheckpointEntry } from '#src/schema/catalogue.js';
import { faultLibrary, SystemFaults } from '../faults/system-faults.js';
import { packageRoot, serve, temporaryFolder, until } from './harness.js';

const folder = temporaryFolder();
const root = join(folder.path, 'root');
let server: RunningServer;

const canDelay = faultLibrary() !== null;
const limit = 8;

beforeAll(async () => {
  if (!canDelay) return;
  mkdirSync(root);
  for (const name of ['a-slow.pt', 'b-slow.pt', 'z-good.pt'])
    copyFileSync(join(packageRoot, 'checkpoints/TopK_tiny.pt'), join(root, name));
  // Whoever reads files is a child of this process: opening some takes it a minute.
  const faults = new SystemFaults(folder.path);
  faults.set([{ call: 'open', path: '*-slow.pt', then: 60_000 }]);
  Object.assign(process.env, faults.environment);
  server = await serve(folder.path, { roots: [root], inspectTimeout: limit });
});
afterAll(async () => {
  if (canDelay) await server.close();
  folder.remove();
});

it.skipIf(!canDelay)(
  'are answered with what is known; slow files fail one by one and are remembered',
  async () => {
    const list = async (): Promise<{ items: CheckpointEntry[]; pending: number }> => {
      const answer = await fetch(`${server.url}/v1/checkpoints`);
      expect(answer.status).toBe(200);
      return (await answer.json()) as { items: CheckpointEntry[]; pending: number };
    };
    // Two that look at the lists keep nobody from having a file inspected, which has its own time;
    // on a busy machine one may take too long.
    const lists = Promise.all([list(), list()]);
    const inspected = `${server.url}/v1/checkpoints/inspect?path=z-good.pt`;
    await until(async () => (await fetch(inspected)).status === 200, { what: 'the inspection' });
    let [found] = await lists;
    expect(found.items.length).toBe(3);
    expect(found.pending).toBeGreaterThan(0);
    expect(found.items[2]?.error?.code).toBe('unavailable');
    for (let i = 0; found.pending > 0 && i < 20; i++) found = await list();
    expect(found.items.map(({ path, error }) => [path, error?.message ?? null])).toEqual([
      ...['a-slow.pt', 'b-slow.pt'].map((path) => [
        path,
        `${path} could not be inspected: that takes longer than ${limit} s.`,
      ]),
      ['z-good.pt', null],
    ]);
    expect(found.items[2]?.candidates.length).toBeGreaterThan(0);
    // Nothing is read again: a slow file would be pending, as it was at first.
    expect(await list()).toEqual(found);
  },
  120_000,
);
