/**
 * Processes that compute shards are ended at random moments: by SIGTERM, as schedulers do before
 * they take a node away, and by SIGKILL. The run goes on and gives the numbers of a run on one
 * device. `SAE_EVAL_SEED` sets the moments.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from './host.js';
import { missingFor } from './needed-programs.js';
import { Network } from './network.js';
import { seededRandom } from './random.js';
import { digestOf, ShardedRun, smallRequest, succeeded } from './sharded-run.js';
import { full } from '../full.js';

const missing = missingFor();
/** Signals that are sent, and runs whose processes are killed again and again. */
const terminations = 20;
const runs = 8;
const timeout = 900_000;

describe.runIf(full && missing === '')(`a run in shards${missing}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-interrupted-'));
  const run = new ShardedRun(folder, smallRequest());
  let network: Network;
  let a: Host;
  let b: Host;
  let single: string;
  /** Milliseconds of a run that nobody interrupts. */
  let whole: number;

  beforeAll(async () => {
    network = new Network();
    [a, b] = [network.addHost('a'), network.addHost('b')];
    single = await run.single();
    const began = performance.now();
    succeeded(await run.compute(a, '0/1').ended);
    whole = performance.now() - began;
    run.clear();
  });
  afterEach(async () => {
    await Promise.all([a.kill(), b.kill()]);
    run.clear();
  });
  afterAll(() => {
    network.close();
    rmSync(folder, { recursive: true });
  });

  it('ends with 75 at SIGTERM, at any moment, and continues', { timeout }, async () => {
    const random = seededRandom(20);
    let stopped = 0;
    // Signals that come before the arguments are read stop nothing.
    for (let round = 0; round < terminations || stopped <= terminations / 4; round += 1) {
      const process = run.compute(a, '0/1');
      await Promise.race([process.ended, wait(random() * whole)]);
      process.child.kill('SIGTERM');
      const ended = await process.ended;
      // Before it has read its arguments, it dies like any process.
      if (ended.signal === 'SIGTERM' && ended.stderr === '') continue;
      if (ended.code === 0) {
        expect(digestOf(await run.merged())).toBe(single);
        run.clear();
        continue;
      }
      expect(ended, ended.stderr).toMatchObject({ code: 75, signal: null });
      stopped += 1;
    }
    succeeded(await run.compute(a, '0/1').ended);
    expect(digestOf(await run.merged())).toBe(single);
  });

  it('gives the same numbers however often its processes are killed', { timeout }, async () => {
    const random = seededRandom(30);
    let kills = 0;
    for (let round = 0; round < runs; round += 1) {
      const ends = [a, b].map(async (host, index) => {
        // Two runs at once take longer than one alone, by how much depends on the machine.
        for (let most = 2 * whole; ; most += whole) {
          const process = run.compute(host, `${index}/2`);
          await Promise.race([process.ended, wait(random() * most)]);
          process.child.kill('SIGKILL');
          const ended = await process.ended;
          if (ended.signal === null) return succeeded(ended);
          kills += 1;
        }
      });
      await Promise.all(ends);
      expect(digestOf(await run.merged())).toBe(single);
      // What killed processes have left is no part of the run.
      expect(readdirSync(join(run.out, 'partial'))).toEqual([]);
      run.clear();
    }
    expect(kills).toBeGreaterThan(runs / 4);
  });
});
