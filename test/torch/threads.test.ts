/**
 * The binding in several threads and processes at once, asynchronous calls, and ends in the middle
 * of an operator.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import {
  asyncScope,
  memory,
  noGrad,
  ops,
  scope,
  setInferenceMode,
  tensor,
  type Tensor,
} from '#src/torch/index.js';
import { full } from '../full.js';

const binding = JSON.stringify(
  fileURLToPath(new URL('../../dist/src/torch/index.js', import.meta.url)),
);
const rounds = !full ? 2 : 100;

const worker = (code: string): Worker =>
  new Worker(
    `import(${binding}).then(async ({ inferenceMode, noGrad, ops, setNumThreads }) => { ` +
      `const { parentPort } = await import('node:worker_threads'); setNumThreads(1); ${code} ` +
      '})',
    { eval: true },
  );

async function child(
  code: string,
): Promise<{ code: number | null; signal: string | null; output: string }> {
  const run = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { ops, setNumThreads } from ${binding};\nsetNumThreads(1);\n${code}`,
  ]);
  let output = '';
  for (const stream of [run.stdout, run.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) =>
    run.on('close', (status, signal) => resolve({ code: status, signal, output })),
  );
}

const message = (from: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => from.once('message', resolve).once('error', reject));

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('threads', () => {
  it('computes here, in workers and in children at once', async () => {
    const work =
      'let x = ops.ones([64, 64]); for (let i = 0; i < 50; i++) x = ops.matmul(x, x).div(64);';
    const workers = [0, 1].map(() => worker(`${work} parentPort.postMessage(x.sum().item());`));
    const answers = Promise.all([
      ...workers.map(message),
      child(`${work} console.log(x.sum().item());`).then(({ output }) => Number(output)),
    ]);
    let x = ops.ones([64, 64]);
    for (let i = 0; i < 50; i++) x = ops.matmul(x, x).div(64);
    expect([x.sum().item(), ...(await answers)]).toEqual([4096, 4096, 4096, 4096]);
    await Promise.all(workers.map((each) => each.terminate()));
  });

  it('gives each its own gradient and inference mode', async () => {
    const told =
      'const x = ops.ones([1]); const inference = x.is_inference(); if (!inference) ' +
      'x.requiresGrad = true; parentPort.postMessage([inference, x.mul(2).requiresGrad]);';
    const first = worker(
      `inferenceMode(() => { ${told} }); noGrad(() => { ${told} }); ` +
        `parentPort.once('message', () => { ${told} });`,
    );
    const modes: unknown[] = [];
    first.on('message', (each) => modes.push(each));
    setInferenceMode(true);
    try {
      const second = worker(told);
      expect(await message(second)).toEqual([false, true]);
      while (modes.length < 2) await message(first);
      first.postMessage(0);
      await message(first);
      expect(modes).toEqual([
        [true, false],
        [false, false],
        [false, true],
      ]);
      expect(ops.ones([1]).is_inference()).toBe(true);
      await Promise.all([first.terminate(), second.terminate()]);
    } finally {
      setInferenceMode(false);
    }
    expect(ops.ones([1]).is_inference()).toBe(false);
  });

  // Matrices of 700² take milliseconds: the end comes in the middle of one.
  const busy = 'const x = ops.ones([700, 700]);';
  it(
    `survives ${rounds} terminations of a worker during an operator, half of them ` +
      'asynchronous',
    async () => {
      const codes: number[] = [];
      for (let i = 0; i < rounds; i++) {
        const loop =
          i % 2 === 0
            ? 'for (;;) ops.matmul(x, x).dispose();'
            : 'for (;;) (await ops.matmul.async(x, x)).dispose();';
        const each = worker(`${busy} parentPort.postMessage(0); ${loop}`);
        await message(each);
        codes.push(await each.terminate());
      }
      expect(codes).toEqual(Array.from({ length: rounds }, () => 1));
      expect(ops.ones([2]).sum().item()).toBe(2);
    },
  );

  it(`ends ${rounds} times by process.exit() while other threads compute`, async () => {
    const worker = `import(${binding}).then(async ({ ops }) => {
      const { parentPort } = await import('node:worker_threads');
      const x = ops.ones([700, 700]);
      parentPort.postMessage(0);
      for (;;) ops.matmul(x, x).dispose();
    })`;
    const code = `import { Worker } from 'node:worker_threads';
      ${busy}
      const other = new Worker(${JSON.stringify(worker)}, { eval: true });
      await new Promise((resolve) => other.once('message', resolve));
      for (let i = 0; i < 4; i++) void ops.matmul.async(x, x);
      setTimeout(() => process.exit(7), 1);`;
    for (let i = 0; i < rounds; i++)
      expect(await child(code)).toEqual({ code: 7, signal: null, output: '' });
  });
});

describe('asynchronous calls', () => {
  it('leave the event loop free, answer as others do, and carry the mode of the call', async () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    x.requiresGrad = true;
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const big = ops.ones([1500, 1500]);
    const [product] = await Promise.all([ops.matmul.async(big, big), ops.matmul.async(big, big)]);
    clearInterval(timer);
    expect(product.index([0, 0]).item()).toBe(1500);
    expect(turns).toBeGreaterThan(0);
    expect((await ops.topk.async(x, 1, { dim: -1 }))[0].toArray()).toEqual([[2], [4]]);
    expect((await ops.mul.async(x, x)).requiresGrad).toBe(true);
    expect((await noGrad(() => [ops.mul.async(x, x)] as const)[0]).requiresGrad).toBe(false);
    const target = tensor([1]);
    expect(await ops.add_.async(target, 1)).toBe(target);
  });

  it('keep their inputs when handles are disposed, and reject with coded errors', async () => {
    const x = ops.ones([600, 600]);
    const promise = ops.matmul.async(x, x);
    x.dispose();
    expect((await promise).index([0, 0]).item()).toBe(600);
    expect(() => ops.topk.async(tensor([1]), 'two' as never)).toThrow(
      expect.objectContaining({ code: 'torch-argument' }),
    );
    await expect(ops.matmul.async(tensor([1, 2]), tensor([1, 2, 3]))).rejects.toThrow(
      expect.objectContaining({ code: 'torch-operator' }),
    );
  });
});

describe('asynchronous scopes', () => {
  it('free what interleaved bodies made, each its own, and keep what they resolve to', async () => {
    // Other tests' garbage goes first: from here on the collector can take this test's alone.
    for (let i = 0; i < 5; i++) {
      collectGarbage();
      await new Promise(setImmediate); // finalizers run in a later turn of the loop
    }
    const before = memory().handles;
    const kept: Tensor[] = await Promise.all(
      [1, 2, 3].map((value) =>
        asyncScope(async () => {
          let x = ops.full([8], value, { dtype: 'float32' });
          for (let i = 0; i < 5; i++) {
            x = await ops.add.async(x, 1);
            await new Promise((resolve) => setTimeout(resolve, 1));
            x = scope(() => x.mul(1).add(0));
          }
          return asyncScope(async () => (await ops.add.async(x, 0)).mul(1));
        }),
      ),
    );
    expect(kept.map((each) => each.toArray())).toEqual(
      [6, 7, 8].map((value) => Array.from({ length: 8 }, () => value)),
    );
    expect(memory().handles).toBe(before + 3);
    for (const each of kept) each.dispose();
    await expect(
      asyncScope(async () => {
        ops.ones([2]);
        await ops.matmul.async(ops.ones([2]), ops.ones([3]));
      }),
    ).rejects.toThrow();
    expect(memory().handles).toBe(before);
  });
});
