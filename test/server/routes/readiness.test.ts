/**
 * A server is ready while a compute process answers. One that dies without work is started again;
 * what keeps it from starting is no evaluation's fault.
 */
import { existsSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalClient } from '#src/client/index.js';
import {
  computeProcesses,
  packageRoot,
  smallRequest,
  spawnServer,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';

const folder = temporaryFolder();
/** Path to libtorch: without it no compute process can start. */
const addon = join(folder.path, 'sae_eval.node');
const away = `${addon}.away`;
const apiKey = 'a-secret-of-the-server';
let server: ServerProcess;
let client: SaeEvalClient;

async function ready(): Promise<{ status: number; detail?: string }> {
  const response = await fetch(`${server.url}/readyz`);
  const { detail } = (await response.json()) as { detail?: string };
  return { status: response.status, ...(detail === undefined ? {} : { detail }) };
}
const compute = (): number[] => computeProcesses(server.child.pid!);

beforeAll(async () => {
  symlinkSync(join(packageRoot, 'build/addon/sae_eval.node'), away);
  server = await spawnServer(folder.path, { SAE_EVAL_ADDON: addon, SAE_EVAL_API_KEY: apiKey });
  client = new SaeEvalClient(server.url, { apiKey });
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  folder.remove();
});

describe('readiness', () => {
  it('waits for what a compute process needs, and says what that is', async () => {
    await until(async () => (await ready()).detail?.includes('setup') === true, {
      what: 'the reason',
    });
    expect((await ready()).status).toBe(503);
    await expect(
      new SaeEvalClient(server.url, { apiKey, retries: 0 }).evaluate(smallRequest()),
    ).rejects.toMatchObject({ status: 503, code: 'unavailable' });
    renameSync(away, addon);
    await untilReady(server.url);
    expect((await client.evaluate(smallRequest(), { wait: true })).status).toBe('succeeded');
  });

  it('ends with the process and comes back with another, though there is no work', async () => {
    const [before] = compute();
    process.kill(before!, 'SIGKILL');
    await until(async () => (await ready()).status === 503, { what: 'the death to be seen' });
    await untilReady(server.url);
    expect(compute()).toHaveLength(1);
    expect(compute()[0]).not.toBe(before);
  });

  it('is 503 while no process can start; accepted evaluations wait and run later', async () => {
    renameSync(addon, away);
    for (const pid of compute()) process.kill(pid, 'SIGKILL');
    await until(async () => (await ready()).detail?.includes('setup') === true, {
      what: 'the reason',
    });
    const ids = await Promise.all(
      [1, 2, 3].map(async (seed) => (await client.evaluate(smallRequest({ seed }))).id),
    );
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await Promise.all(ids.map(async (id) => (await client.get(id)).status))).toEqual([
      'queued',
      'queued',
      'queued',
    ]);
    renameSync(away, addon);
    await untilReady(server.url);
    for (const id of ids) {
      await until(async () => (await client.get(id)).status === 'succeeded', {
        what: 'the evaluation',
      });
      expect(await client.get(id)).toMatchObject({ attempts: 1, error: null });
    }
  });
});

describe.skipIf(!existsSync('/proc/self/oom_score_adj'))('a compute process', () => {
  it('goes before the server when memory runs out, and does not know its secrets', () => {
    const [pid] = compute();
    expect(Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'))).toBeGreaterThanOrEqual(500);
    expect(Number(readFileSync(`/proc/${server.child.pid}/oom_score_adj`, 'utf8'))).toBeLessThan(
      500,
    );
    expect(readFileSync(`/proc/${server.child.pid}/environ`, 'utf8')).toContain(apiKey);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain(apiKey);
  });
});
