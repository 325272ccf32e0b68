/**
 * The compute process: results cross unchanged, deaths are told, cancellation works, it never
 * outlives its parent.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { SaeEvalError } from '#src/errors.js';
import { describeDeath, outOfMemoryKills } from '#src/compute/death.js';
import { forkChild } from '#src/compute/fork-child.js';
import { ComputeProcess } from '#src/compute/host.js';
import { inspectCheckpoints, inspectRequest } from '#src/inspect/inspect.js';
import { resolvedRequestSchema, type ResolvedRequest } from '#src/schema/index.js';
import { isRunning } from '../running.js';

const shipped = (name: string): string =>
  fileURLToPath(new URL(`../../checkpoints/${name}`, import.meta.url));
const compute = new ComputeProcess();
afterAll(() => compute.close());

function request(samples: number, seqLen = 32): ResolvedRequest {
  return resolvedRequestSchema.parse({
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), maxSamples: samples, seqLen },
    batchSize: 4,
    device: 'cpu',
    saes: [{ kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 }],
  });
}

describe('ComputeProcess', () => {
  it(
    'runs one evaluation after the other in one process, with progress and numbers as they ' +
      'come',
    async () => {
      const samples: number[] = [];
      let partials = 0;
      const [first, second] = await Promise.all([
        compute.run(request(8), {
          id: 'one',
          onProgress: (progress) => samples.push(progress.samples),
          onResult: () => (partials += 1),
        }),
        compute.run(request(8), { id: 'two' }),
      ]);
      expect(samples).toEqual([4, 8]);
      // After the first batch; the second may come too soon after it.
      expect([1, 2]).toContain(partials);
      expect([first.id, second.id]).toEqual(['one', 'two']);
      expect(JSON.stringify(first.results)).toBe(JSON.stringify(second.results));
      expect(compute.usage?.residentBytes).toBeGreaterThan(1e7);
      const { pid } = compute;
      expect((await compute.describe()).devices[0]?.name).toBe('cpu');
      expect(compute.pid).toBe(pid);
    },
  );

  it('ends a call with what a function of the caller throws, and goes on', async () => {
    const mine = new RangeError('mine');
    const thrown: unknown = await compute
      .run(request(400), {
        id: 'one',
        onProgress: () => {
          throw mine;
        },
      })
      .catch((error: unknown) => error);
    expect(thrown).toBe(mine);
    expect((await compute.run(request(8), { id: 'two' })).status).toBe('succeeded');
  });

  it(
    'takes over a process that was started ahead, makes another where that has ended, and ' +
      'ends one it did not need',
    async () => {
      const ahead = forkChild();
      const taking = new ComputeProcess({ child: ahead });
      await taking.describe();
      expect(taking.pid).toBe(ahead.pid);
      await taking.close();

      const dead = forkChild();
      const gone = new Promise((resolve) => dead.once('close', resolve));
      dead.kill('SIGKILL');
      await gone;
      const other = new ComputeProcess({ child: dead });
      expect((await other.describe()).devices[0]?.name).toBe('cpu');
      expect(other.pid).not.toBe(dead.pid);
      await other.close();

      const unused = forkChild();
      await new ComputeProcess({ child: unused }).close();
      expect(unused.signalCode).toBe('SIGKILL');
    },
  );

  it('passes on what is wrong with a request', async () => {
    const wrong = request(8);
    wrong.saes[0]!.layer = 17;
    await expect(compute.run(wrong)).rejects.toMatchObject({
      code: 'sae-option',
      fields: [{ path: 'saes[0].layer' }],
    });
  });

  it('reads only what the table of paths allows', async () => {
    await expect(compute.run(request(8), { paths: [] })).rejects.toMatchObject({
      code: 'path-outside-roots',
    });
  });

  it('cancels within a batch, with the reason of the signal', async () => {
    const controller = new AbortController();
    const running = compute.run(request(400, 512), { signal: controller.signal });
    setTimeout(() => controller.abort(new SaeEvalError('timed-out', 'too long')), 500);
    await expect(running).rejects.toMatchObject({ code: 'timed-out' });
    await expect(compute.run(request(4), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  it('tells of a death in one sentence and starts again', async () => {
    const running = compute.run(request(400, 512));
    setTimeout(() => process.kill(compute.pid!, 'SIGKILL'), 500);
    await expect(running).rejects.toMatchObject({
      code: 'process-died',
      explained: false,
      message: expect.stringMatching(/^The compute process was killed from outside \(SIGKILL\)\./),
    });
    expect((await compute.run(request(4))).status).toBe('succeeded');
  });

  it('ends with its parent, even while it computes', async () => {
    const host = new URL('../../dist/src/compute/host.js', import.meta.url);
    const script = `
      import { ComputeProcess } from ${JSON.stringify(host.href)};
      const compute = new ComputeProcess();
      void compute.run(${JSON.stringify(request(400, 512))});
      setTimeout(() => { console.log(compute.pid); process.kill(process.pid, 'SIGKILL'); }, 1500);`;
    const pid = await new Promise<number>((resolve) =>
      execFile(process.execPath, ['--input-type=module', '-e', script], (_, stdout) =>
        resolve(Number(stdout)),
      ),
    );
    expect(pid).toBeGreaterThan(0);
    const deadline = Date.now() + 3000;
    while (isRunning(pid) && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isRunning(pid)).toBe(false);
  });
});

describe('a compute process that is stopped', () => {
  const stopped = (pid: number): void => void process.kill(pid, 'SIGSTOP');
  const noSign = /gave no sign of life for 2 s .*was ended\.$/;

  it('is noticed at its start, at work and in idle, and replaced', async () => {
    const limits = { silence: 2, stall: 0 };
    const watched = new ComputeProcess({ limits });
    watched.prepare();
    stopped(watched.pid!);
    await expect(watched.describe()).rejects.toMatchObject({
      code: 'process-died',
      explained: false,
      message: expect.stringMatching(noSign) as string,
    });
    // A start may take its time on a busy machine.
    limits.silence = 60;
    const first = await watched.run(request(4));
    expect(watched.silence).toBeLessThan(30);
    const running = watched.run(request(400, 512));
    setTimeout(() => {
      limits.silence = 2;
      stopped(watched.pid!);
    }, 300);
    await expect(running).rejects.toMatchObject({ code: 'process-died', explained: false });
    expect(watched.silence).toBeNull();
    limits.silence = 60;
    expect((await watched.run(request(4))).results).toEqual(first.results);
    const ended = new Promise<void>((resolve) => {
      watched.onPid = (pid) => {
        if (pid === null) resolve();
      };
    });
    limits.silence = 2;
    stopped(watched.pid!);
    await ended;
    expect(watched.answers).toBe(false);
    await watched.close();
  });
});

describe('a compute process that hangs', () => {
  it('is told from one that works: it does nothing, though it sends signs of life', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sae-eval-hang-'));
    // A preloaded module blocks the main thread, as a call of a driver does.
    const hang = join(folder, 'hang.cjs');
    writeFileSync(
      hang,
      `setInterval(() => {
         if (require('node:fs').existsSync(${JSON.stringify(join(folder, 'now'))}))
           Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
       }, 50).unref();`,
    );
    process.execArgv.push(`--require=${hang}`);
    try {
      const hanging = new ComputeProcess({ limits: { silence: 30, stall: 2 } });
      await hanging.describe();
      writeFileSync(join(folder, 'now'), '');
      await expect(hanging.run(request(4000, 512))).rejects.toMatchObject({
        code: 'process-died',
        message: expect.stringMatching(/did nothing for 2 s .* was ended\.$/) as string,
      });
      await hanging.close();
    } finally {
      process.execArgv.pop();
      rmSync(folder, { recursive: true });
    }
  });
});

it.each([
  ['11:memory:/job\n0::/\n', 'memory/job', 'memory.oom_control', 3],
  ['4:cpu,memory:/docker/x\n', 'memory', 'memory.oom_control', 5],
  ['0::/user/job\n', 'user/job', 'memory.events', 7],
  ['3:cpu:/\n', 'cpu', 'memory.events', null],
])('counts kills for want of memory in control groups of both versions: %j', (...row) => {
  const [groups, folder, name, kills] = row;
  const mounted = mkdtempSync(join(tmpdir(), 'sae-eval-groups-'));
  try {
    mkdirSync(join(mounted, folder), { recursive: true });
    writeFileSync(join(mounted, folder, name), `oom_kill_disable 0\noom_kill ${kills ?? 9}\n`);
    expect(outOfMemoryKills({ groups, mounted })).toBe(kills);
  } finally {
    rmSync(mounted, { recursive: true });
  }
});

describe('describeDeath', () => {
  const circumstances = { code: null, signal: null, stderr: '', killsBefore: null };
  it.each([
    ['a crash', { signal: 'SIGSEGV' as const }, /SIGSEGV.*native code/, true],
    [
      'an abort with words',
      {
        signal: 'SIGABRT' as const,
        stderr: "terminate called after throwing an instance of 'c10::Error'\n  what():  bad\n",
      },
      /what\(\): {2}bad/,
      true,
    ],
    [
      'memory',
      { signal: 'SIGABRT' as const, stderr: 'FATAL ERROR: JavaScript heap out of memory' },
      /ran out of memory/,
      true,
    ],
    ['a kill', { signal: 'SIGKILL' as const }, /from outside/, false],
    ['an exit', { code: 3 }, /exit code 3/, false],
  ])('%s', (_, change, sentence, explained) => {
    const death = describeDeath({ ...circumstances, ...change });
    expect(death.sentence).toMatch(sentence);
    expect(death.explained).toBe(explained);
  });
});

describe('inspection', () => {
  it('fills a request in, and describes files one by one', async () => {
    expect((await inspectRequest(request(8), null)).saes[0]?.label).toBe('TopK');
    const [good, bad, outside] = await inspectCheckpoints(
      [shipped('Gated_tiny.pt'), shipped('eval/eval.jsonl'), '/etc/passwd'],
      { within: [dirname(shipped('Gated_tiny.pt'))] },
    );
    expect(good).toMatchObject({
      ok: { candidates: ['Gated'], m: 1024, mustGive: { Gated: ['layer'] } },
    });
    expect(bad).toMatchObject({ error: { code: 'checkpoint-format' } });
    expect(outside).toMatchObject({ error: { code: 'path-outside-roots' } });
  });

  it('is given up after its time', async () => {
    await expect(inspectRequest(request(8), null, { timeoutMs: 1 })).rejects.toMatchObject({
      code: 'checkpoint-format',
    });
  });
});
