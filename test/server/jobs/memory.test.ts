/**
 * Resident memory does not grow from evaluation to evaluation, in the server and in the compute
 * process.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SaeEvalClient, type EvaluationFailedError } from '#src/client/index.js';
import { full } from '../../full.js';
import {
  computeProcesses,
  smallRequest,
  spawnServer,
  temporaryFolder,
  untilReady,
} from '../harness.js';

/**
 * Resident memory in MB; the smallest of several looks, because the garbage collector comes when it
 * likes.
 */
async function resident(pid: number): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < 10; look++) {
    looks.push(
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return Math.min(...looks);
}

describe('memory', () => {
  it.skipIf(!full)(
    'after 20 evaluations is within 3 % of that after 5',
    { timeout: 600_000 },
    async () => {
      const folder = temporaryFolder();
      const server = await spawnServer(folder.path);
      try {
        await untilReady(server.url);
        const client = new SaeEvalClient(server.url);
        const request = smallRequest({
          dataset: { path: 'checkpoints/eval', maxSamples: 16, seqLen: 64 },
          saes: [
            { kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 },
            { kind: 'MLSAE', checkpoint: 'checkpoints/MLSAE_tiny.pt', k: 16 },
          ],
        });
        const compute = (): number => computeProcesses(server.child.pid!)[0]!;
        const after: Record<number, { server: number; compute: number }> = {};
        for (let n = 1; n <= 20; n++) {
          await client.evaluate(request, { wait: true });
          if (n === 5 || n === 20)
            after[n] = {
              server: await resident(server.child.pid!),
              compute: await resident(compute()),
            };
        }
        console.log('MB after 5 and after 20 evaluations', JSON.stringify(after));
        expect(after[20]!.compute).toBeLessThan(after[5]!.compute * 1.03);
        expect(after[20]!.server).toBeLessThan(after[5]!.server * 1.03);
      } finally {
        server.child.kill('SIGTERM');
        await server.ended;
        folder.remove();
      }
    },
  );
});

describe.skipIf(spawnSync('prlimit', ['--version']).status !== 0)(
  'an evaluation that runs out of memory',
  () => {
    it('fails with the reason and is not tried again; the next one runs', async () => {
      const folder = temporaryFolder();
      const server = await spawnServer(folder.path);
      try {
        await untilReady(server.url);
        const client = new SaeEvalClient(server.url);
        const { id: before } = await client.evaluate(smallRequest(), { wait: true });
        const [pid] = computeProcesses(server.child.pid!);
        const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[0]);
        // What the process has now and a little more, in pages of 4 KiB: enough to map the files,
        // too little to compute.
        execFileSync('prlimit', ['--pid', String(pid), `--as=${pages * 4096 + 16 * 2 ** 20}:`]);
        const large = smallRequest({
          dataset: { path: 'checkpoints/eval', maxSamples: 64, seqLen: 1024 },
          batchSize: 64,
          saes: [{ kind: 'MLSAE', checkpoint: 'checkpoints/MLSAE_tiny.pt', k: 16 }],
        });
        const failure = await client
          .evaluate(large, { wait: true })
          .catch((thrown: unknown) => thrown);
        expect(failure).toMatchObject({
          name: 'EvaluationFailedError',
          message: expect.stringMatching(/memory/),
          evaluation: { status: 'failed', attempts: 1 },
        });
        expect(['device-memory', 'process-died']).toContain(
          (failure as EvaluationFailedError).code,
        );
        for (const left of computeProcesses(server.child.pid!))
          execFileSync('prlimit', ['--pid', String(left), '--as=unlimited:']);
        expect((await client.evaluate(smallRequest({ seed: 1 }), { wait: true })).status).toBe(
          'succeeded',
        );
        expect((await client.get(before)).status).toBe('succeeded');
      } finally {
        server.child.kill('SIGTERM');
        await server.ended;
        folder.remove();
      }
    });
  },
);
