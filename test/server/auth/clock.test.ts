/** Keys on a server whose clock is set back. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { addKey } from '#server/main.js';
import { faultLibrary, SystemFaults } from '../../faults/system-faults.js';
import { packageRoot, spawnServer, temporaryFolder, until } from '../harness.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe.skipIf(faultLibrary() === null)(
  'a key that is revoked after the clock was set back',
  () => {
    it('is refused, and one that is added is known', async () => {
      const file = join(folder.path, 'keys.json');
      const keys = { bob: addKey({ file, label: 'bob' }), eve: addKey({ file, label: 'eve' }) };
      const place = join(folder.path, 'faults');
      mkdirSync(place);
      const faults = new SystemFaults(place);
      faults.set([], { clock: 0 });
      const server = await spawnServer(folder.path, {
        ...faults.environment,
        SAE_EVAL_API_KEYS: file,
        SAE_EVAL_ROOTS: join(packageRoot, 'checkpoints'),
      });
      const statusOf = async (key: string): Promise<number> =>
        (await fetch(`${server.url}/v1/kinds`, { headers: { authorization: `Bearer ${key}` } }))
          .status;
      try {
        expect(await statusOf(keys.eve)).toBe(200);
        faults.set([], { clock: -3600 });
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect(await statusOf(keys.eve)).toBe(200);
        const { keys: entries } = JSON.parse(readFileSync(file, 'utf8')) as {
          keys: { label: string }[];
        };
        writeFileSync(
          file,
          JSON.stringify({ keys: entries.filter(({ label }) => label === 'bob') }),
        );
        await until(async () => (await statusOf(keys.eve)) === 401, { what: 'the refusal' });
        expect(await statusOf(keys.bob)).toBe(200);
        const key = addKey({ file, label: 'carol' });
        await until(async () => (await statusOf(key)) === 200, { what: 'the new key' });
      } finally {
        server.child.kill('SIGTERM');
        await server.ended;
      }
    });
  },
);
