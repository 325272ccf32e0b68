/**
 * The folder of a run is on a disk that is full: a small file system of its own. Processes end with
 * 75, which schedulers understand as "later"; with room again the run goes on.
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from './host.js';
import { missingFor } from './needed-programs.js';
import { Network } from './network.js';
import { runCommand, tryCommand } from './run-command.js';
import { digestOf, ShardedRun, smallRequest, succeeded } from './sharded-run.js';
import { full } from '../full.js';

const missing = missingFor();

describe.runIf(full && missing === '')(`a full disk${missing}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-disk-'));
  let network: Network;
  let host: Host;

  beforeAll(() => {
    network = new Network();
    host = network.addHost('a');
    runCommand('mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder);
  });
  afterAll(() => {
    network.close();
    tryCommand('umount', folder);
    rmSync(folder, { recursive: true });
  });

  /** Takes all room but for `left` bytes. Returns what gives it back. */
  function fill(left: number): () => void {
    const { bavail, bsize } = statfsSync(folder);
    const path = join(folder, 'filler');
    writeFileSync(path, Buffer.alloc(Math.max(0, bavail * bsize - left), 1));
    return () => rmSync(path);
  }

  it.each([
    ['before the plan', 0],
    ['in the midst of the shards', 160 * 1024],
  ])('%s: ends with 75, and goes on with room', async (name, left) => {
    const run = new ShardedRun(join(folder, name.replaceAll(' ', '-')), smallRequest());
    mkdirSync(run.out, { recursive: true });
    const makeRoom = fill(left);
    const ended = await run.compute(host, '0/1').ended;
    expect(ended, ended.stderr).toMatchObject({ code: 75, signal: null });
    expect(ended.stderr).toMatch(/storage-full|full/);
    expect(run.done).toBeLessThan(8);
    makeRoom();
    succeeded(await run.compute(host, '0/1').ended);
    expect(digestOf(await run.merged())).toBe(await run.single());
    rmSync(run.folder, { recursive: true });
  });
});
