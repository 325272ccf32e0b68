/**
 * A host whose clock is 26 hours ahead, or behind, of the others: nothing rests on the time of the
 * day, so that the numbers are those of a run on one device. In full runs only.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from './host.js';
import { missingFor } from './needed-programs.js';
import { Network } from './network.js';
import { compiler, shiftedClock } from './shifted-clock.js';
import { commandLine, digestOf, ShardedRun, smallRequest, succeeded } from './sharded-run.js';
import { full } from '../full.js';

const missing = missingFor(compiler);
const shift = 26 * 3600;
const timeout = 300_000;

describe.runIf(full && missing === '')(`hosts with other clocks${missing}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-clocks-'));
  const run = new ShardedRun(join(folder, 'run'), smallRequest());
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

  it.each([
    ['ahead', shift],
    ['behind', -shift],
  ])('compute one run if one is %s', { timeout }, async (_, seconds) => {
    const env = shiftedClock(folder, seconds);
    const { stdout } = await a.run(process.execPath, ['-p', 'Date.now()'], { env });
    expect(Math.abs(Number(stdout) - Date.now() - 1000 * seconds)).toBeLessThan(60_000);

    // Both begin at once: one of them makes the plan.
    const [first, second] = [run.compute(a, '0/2', { env }), run.compute(b, '1/2')];
    await run.untilDone(2);
    await a.kill();
    await first.ended;
    succeeded(await second.ended);
    const status = [commandLine, 'status', run.out, '--json'];
    succeeded(await a.run(process.execPath, status, { env }));
    // Its clock is set right: what it began by the other one goes on.
    succeeded(await run.compute(a, '0/2').ended);
    const result = await run.merged();
    expect(digestOf(result)).toBe(single);
    expect(result.config.machines!.map(({ host }) => host).sort()).toEqual(['a', 'b']);
  });
});
