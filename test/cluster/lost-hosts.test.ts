/**
 * Hosts that compute shards of one run in a shared folder, and are lost: killed, frozen, all
 * without power. Whatever happens, the merged numbers are those of a run on one device. In full
 * runs all three, else a host that is killed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { full } from '../full.js';
import { missingFor } from './needed-programs.js';
import { Network } from './network.js';
import type { Host } from './host.js';
import { digestOf, ShardedRun, smallRequest, succeeded } from './sharded-run.js';

const missing = missingFor();
const timeout = 300_000;

describe.skipIf(missing !== '')(`a run in shards${missing}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-hosts-'));
  const run = new ShardedRun(folder, smallRequest());
  let network: Network;
  let a: Host;
  let b: Host;
  let single: string;

  beforeAll(async () => {
    network = new Network();
    [a, b] = [network.addHost('a'), network.addHost('b')];
    single = await run.single();
  });
  afterEach(async () => {
    await Promise.all([a.kill(), b.kill()]);
    run.clear();
  });
  afterAll(() => {
    network.close();
    rmSync(folder, { recursive: true });
  });

  it('goes on without a host that was killed', { timeout }, async () => {
    const killed = run.compute(a, '0/1');
    await run.untilDone(2);
    await a.kill();
    expect((await killed.ended).signal).toBe('SIGKILL');
    expect(run.done).toBeLessThan(8);
    succeeded(await run.compute(b, '0/1').ended);
    expect(digestOf(await run.merged())).toBe(single);
  });

  it.runIf(full)(
    'goes on if another host does the work of one that was frozen and comes back',
    { timeout },
    async () => {
      const frozen = run.compute(a, '0/1');
      await run.untilDone(1);
      a.freeze();
      expect(run.done).toBeLessThan(8);
      succeeded(await run.compute(b, '0/1').ended);
      a.thaw();
      // It puts the shard that it was at, whose bits are the other's, and finds all others done.
      succeeded(await frozen.ended);
      expect(digestOf(await run.merged())).toBe(single);
    },
  );

  it.runIf(full)('goes on after all hosts lost power', { timeout }, async () => {
    run.compute(a, '0/2');
    run.compute(b, '1/2');
    await run.untilDone(3);
    await Promise.all([a.kill(), b.kill()]);
    expect(run.done).toBeLessThan(8);
    succeeded(await run.compute(b, '0/1').ended);
    const result = await run.merged();
    expect(digestOf(result)).toBe(single);
    // The first host may have lost its power before its first shard.
    expect(result.config.machines).toContainEqual(expect.objectContaining({ host: 'b' }));
  });
});
