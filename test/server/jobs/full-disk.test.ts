/**
 * A disk that is full, for real: a small file system of its own. Nothing that was stored is lost,
 * the server lives, work goes on when there is room.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BusyError, SaeEvalClient } from '#src/client/index.js';
import { smallRequest, spawnServer, until, untilReady, type ServerProcess } from '../harness.js';
import { full } from '../../full.js';

/** A file system of 8 MB, or null where this user may not mount one. */
function smallDisk(): { path: string; remove(): void } | null {
  const path = mkdtempSync(join(tmpdir(), 'sae-eval-disk-'));
  if (
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=700', 'tmpfs', path], {
      stdio: 'ignore',
    }).status !== 0
  ) {
    rmSync(path, { recursive: true });
    return null;
  }
  return {
    path,
    remove: () => {
      execFileSync('umount', [path]);
      rmSync(path, { recursive: true });
    },
  };
}

const disk = smallDisk();
if (disk === null)
  console.warn('A full disk is not tested: mounting a small file system needs root.');

/** Takes what is left, and what the server gives back meanwhile. Returns what gives it back. */
function fill(folder: string): () => void {
  const path = join(folder, 'filler');
  const block = Buffer.alloc(4096, 1);
  const take = (): void => {
    const file = openSync(path, 'a');
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    } finally {
      closeSync(file);
    }
  };
  take();
  const timer = setInterval(take, 10);
  return () => {
    clearInterval(timer);
    rmSync(path);
  };
}

describe.skipIf(disk === null)('a full disk', () => {
  let server: ServerProcess;
  let client: SaeEvalClient;
  const folder = join(disk?.path ?? '', 'data');
  // 24 batches, so that the disk fills in the midst of it.
  const long = smallRequest({
    dataset: { path: 'checkpoints/eval', maxSamples: 96, seqLen: 64 },
    batchSize: 4,
  });

  beforeAll(async () => {
    mkdirSync(folder);
    server = await spawnServer(folder);
    client = new SaeEvalClient(server.url, { retries: 0 });
    await untilReady(server.url);
  });
  afterAll(async () => {
    server.child.kill('SIGTERM');
    await server.ended;
    disk!.remove();
  });

  it(
    'refuses new evaluations with 503, keeps what was stored, and goes on with the same bits ' +
      'when there is room',
    async () => {
      const stored = await client.evaluate(long, { wait: true });
      const { id } = await client.evaluate(long);
      await until(async () => ((await client.get(id)).progress?.batches ?? 0) >= 2, {
        what: 'two batches',
      });
      const giveBack = fill(disk!.path);

      const refused = await client.evaluate(smallRequest()).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(BusyError);
      expect(refused).toMatchObject({ status: 503, code: 'storage-full', retryAfter: 5 });
      await until(() => server.output().includes('the evaluation continues when there is room'), {
        what: 'the evaluation to meet the full disk',
      });

      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
      const ready = await fetch(`${server.url}/readyz`);
      expect({ status: ready.status, code: (await ready.json()).code }).toEqual({
        status: 503,
        code: 'storage-full',
      });
      expect(await client.get(stored.id)).toEqual(stored);
      expect(await client.report(stored.id)).toContain('TopK');
      expect((await client.list()).items.map((item) => item.id)).toEqual([id, stored.id]);
      expect((await client.get(id)).status).toBe('running');
      const removal = await fetch(`${server.url}/v1/evaluations/${stored.id}`, {
        method: 'DELETE',
      });
      expect({ status: removal.status, code: (await removal.json()).code }).toEqual({
        status: 503,
        code: 'storage-full',
      });

      giveBack();
      await until(async () => (await client.get(id)).status === 'succeeded', {
        what: 'the evaluation to go on',
      });
      const record = await client.get(id);
      expect(record.attempts).toBeGreaterThan(1);
      expect(JSON.stringify(record.result!.results)).toBe(JSON.stringify(stored.result!.results));
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
      expect((await client.evaluate(smallRequest(), { wait: true })).status).toBe('succeeded');
      expect(readdirSync(join(folder, 'jobs.db.journals'))).toEqual([]);
    },
  );

  it.runIf(full)(
    'does not keep an evaluation from being cancelled, nor the server from stopping; both ' +
      'are known after the next start',
    async () => {
      const before = await client.list({ limit: 100 });
      const { id } = await client.evaluate(long);
      await until(async () => ((await client.get(id)).progress?.batches ?? 0) >= 2, {
        what: 'two batches',
      });
      const giveBack = fill(disk!.path);
      const metBefore = server.output().split('continues when there is room').length;
      await until(() => server.output().split('continues when there is room').length > metBefore, {
        what: 'the evaluation to meet the full disk',
      });
      server.child.kill('SIGTERM');
      // A server that is not done by its grace ends with 1.
      expect(await server.ended).toEqual({ code: 0, signal: null });
      giveBack();
      server = await spawnServer(folder);
      client = new SaeEvalClient(server.url, { retries: 0 });
      await untilReady(server.url);
      await until(async () => (await client.get(id)).status === 'running', {
        what: 'the evaluation to go on',
      });
      const giveBackAgain = fill(disk!.path);
      await until(() => server.output().includes('continues when there is room'), {
        what: 'the evaluation to meet the full disk',
      });
      expect((await client.cancel(id)).status).toBe('running');
      giveBackAgain();
      await until(async () => (await client.get(id)).status === 'cancelled', {
        what: 'the cancellation',
      });
      expect((await client.list({ limit: 100 })).items.slice(1)).toEqual(before.items);
    },
  );
});
