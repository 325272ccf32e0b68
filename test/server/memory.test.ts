/** Resident memory does not grow from evaluation to evaluation, in the server and in the compute process. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SaeEvalClient } from '#src/client/index.js';
import { full, smallRequest, spawnServer, temporaryFolder, untilReady } from './harness.js';

/** Resident memory in MB; the smallest of several looks, because the garbage collector comes when it likes. */
async function resident(pid: number): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < 10; look++) {
    looks.push(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return Math.min(...looks);
}

describe('memory', () => {
  it.skipIf(!full)('after 20 evaluations is within 3 % of that after 5', { timeout: 600_000 }, async () => {
    const folder = temporaryFolder();
    const server = await spawnServer(folder.path);
    try {
      await untilReady(server.url);
      const client = new SaeEvalClient(server.url);
      const request = smallRequest({
        dataset: { path: 'checkpoints/eval', maxSamples: 16, seqLen: 64 },
        saes: [{ kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 }, { kind: 'MLSAE', checkpoint: 'checkpoints/MLSAE_tiny.pt', k: 16 }],
      });
      const compute = (): number => Number.parseInt(execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(server.child.pid)], { encoding: 'utf8' }).split('\n').find((line) => line.includes('process/child.js'))!, 10);
      const after: Record<number, { server: number; compute: number }> = {};
      for (let n = 1; n <= 20; n++) {
        await client.evaluate(request, { wait: true });
        if (n === 5 || n === 20) after[n] = { server: await resident(server.child.pid!), compute: await resident(compute()) };
      }
      console.log('MB after 5 and after 20 evaluations', JSON.stringify(after));
      expect(after[20]!.compute).toBeLessThan(after[5]!.compute * 1.03);
      expect(after[20]!.server).toBeLessThan(after[5]!.server * 1.03);
    } finally {
      server.child.kill('SIGTERM');
      await server.ended;
      folder.remove();
    }
  });
});
