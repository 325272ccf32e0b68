/** Bits that differ are refused: of a shard that was computed twice, of another kind of machine. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readShardFile, writeShardFile } from '#src/evaluation/shards/shard-file.js';
import type { Host } from './host.js';
import { missingFor } from './needed-programs.js';
import { Network } from './network.js';
import { ShardedRun, smallRequest, succeeded } from './sharded-run.js';
import { full } from '../full.js';

const missing = missingFor();

describe.runIf(full && missing === '')(`a run in shards${missing}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-bits-'));
  const run = new ShardedRun(folder, smallRequest(), 64);
  let network: Network;
  let a: Host;
  let b: Host;

  beforeAll(() => {
    network = new Network();
    [a, b] = [network.addHost('host-a'), network.addHost('host-b')];
  });
  afterEach(async () => {
    await Promise.all([a.kill(), b.kill()]);
    run.clear();
  });
  afterAll(() => {
    network.close();
    rmSync(folder, { recursive: true });
  });

  it('stops with the names of both hosts if a shard was computed with other bits', async () => {
    const path = join(run.out, 'shards', '00000.safetensors');
    succeeded(await run.compute(b, '0/1').ended);
    const shard = readShardFile(path);
    run.clear();

    const late = run.compute(a, '0/1');
    await run.untilDecided();
    await wait(200);
    a.freeze();
    expect(run.done).toBe(0);
    const [column] = shard.accumulator.columnNames;
    shard.accumulator.column(column!)![0]! *= 1 + 2 ** -40;
    mkdirSync(join(run.out, 'shards'), { recursive: true });
    writeShardFile(path, shard);
    a.thaw();
    const ended = await late.ended;
    expect(ended).toMatchObject({ code: 1 });
    expect(ended.stderr).toMatch(/shard-differs[^]*host-a[^]*host-b|host-b[^]*host-a/);
  });

  it('refuses another kind of machine with 75; the result says if one took part', async () => {
    const wide = new ShardedRun(join(folder, 'mixed'), smallRequest());
    const first = wide.compute(a, '0/2');
    await wide.untilDone(1);
    await a.kill();
    await first.ended;
    // The same processor with other kernels.
    const env = { ATEN_CPU_CAPABILITY: 'default' };
    const refused = await wide.compute(b, '0/1', { env }).ended;
    expect(refused, refused.stderr).toMatchObject({ code: 75 });
    expect(refused.stderr).toMatch(/was begun on .*; this machine is .*cpu DEFAULT/);
    succeeded(await wide.compute(b, '0/1', { env }, ['--machine', 'any']).ended);
    const { data, config } = await wide.merged();
    expect(config.machines).toHaveLength(2);
    expect(data.warnings.map(({ en }) => en).join()).toContain('Machines of several kinds');
  });
});
