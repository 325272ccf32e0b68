/** The simulated device itself: a test that runs on it must fail where a GPU would. */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { cuda, fromTypedArray, memory, ops, scope, tensor } from '#src/torch/index.js';
import { simulatedCuda, simulatedEnvironment, type SimulatedCuda } from './device.js';

let device: SimulatedCuda;

beforeAll(async () => {
  device = await simulatedCuda();
});

describe('the simulated device', () => {
  it('ends a process whose host touches its memory, and names the operator', async () => {
    const env = await simulatedEnvironment();
    const { status, stderr } = spawnSync(
      process.execPath,
      ['-e', 'require(process.env.NODE_OPTIONS.match(/"(.*?)"/)[1]).touch()'],
      { env, encoding: 'utf8' },
    );
    expect(stderr).toMatch(/the host touched device memory at 0x[0-9a-f]+, in no operator/);
    expect(status).toBe(70);
  });

  it('computes, and counts operators, copies and waits', () => {
    scope(() => {
      const x = fromTypedArray(Float32Array.of(1, 2, 3, 4), [2, 2], { device: 'cuda:1' });
      device.reset();
      const product = ops.matmul(x, x);
      expect(device.counts()).toMatchObject({ operators: 1, waits: 0, copiesToHost: 0 });
      expect(product.device).toBe('cuda:1');
      expect(product.toArray()).toEqual([
        [7, 10],
        [15, 22],
      ]);
      expect(device.counts()).toMatchObject({ copiesToHost: 1, bytesToHost: 16, waits: 1 });
      expect(x.t().select(0, 0).toArray()).toEqual([1, 3]);
      return null;
    });
  });

  it('counts views as no launches, and conversions by the host', () => {
    scope(() => {
      const x = ops.zeros([4, 4], { device: 'cuda:0' });
      device.reset();
      x.t().narrow(0, 1, 2).unsqueeze(0).reshape([-1]);
      expect(device.counts().operators).toBe(1); // the copy of reshape
      tensor([1, 2]).to({ device: 'cuda:0', dtype: 'float64' });
      expect(device.counts()).toMatchObject({ hostConversions: 1, copiesToDevice: 1 });
      return null;
    });
  });

  it('refuses tensors of two devices, and of the host, but takes numbers', () => {
    scope(() => {
      const zero = ops.ones([2], { device: 'cuda:0' });
      const one = ops.ones([2], { device: 'cuda:1' });
      expect(() => zero.add(one)).toThrow(/at least two devices, cuda:0 and cuda:1/);
      expect(() => zero.add(ops.ones([2]))).toThrow(/at least two devices, cuda:0 and cpu/);
      expect(zero.add(1).toArray()).toEqual([2, 2]);
      return null;
    });
  });

  it('has fresh memory that is no number', () => {
    scope(() => {
      const fresh = ops.empty([8], { device: 'cuda:0' }).toArray() as number[];
      expect(fresh.every(Number.isNaN)).toBe(true);
      return null;
    });
  });

  it('has no more memory than its limit, and tells how much', () => {
    const { used } = device.counts();
    device.limit(1, used[1]! + 2 ** 20);
    try {
      expect(() =>
        scope(() =>
          ops
            .zeros([2 ** 19], { device: 'cuda:1' })
            .sum()
            .item(),
        ),
      ).toThrow(
        expect.objectContaining({
          code: 'device-memory',
          message: expect.stringMatching(/Tried to allocate 2097152 bytes/) as string,
        }) as Error,
      );
      expect(cuda.memory('cuda:1').totalBytes).toBe(used[1]! + 2 ** 20);
    } finally {
      device.limit(1, 2 ** 32);
    }
  });

  it('is described by its driver, without a context', () => {
    expect(cuda.deviceName(1)).toBe('Simulated GPU');
    const { name, totalBytes, freeBytes } = cuda.describe('cuda:1');
    expect({ name, totalBytes }).toEqual({ name: 'Simulated GPU', totalBytes: 2 ** 32 });
    expect(freeBytes).toBe(2 ** 32 - device.counts().used[1]!);
  });

  it('gives back what tensors took', () => {
    const before = device.counts().used[0]!;
    scope(() => {
      ops.zeros([1000], { device: 'cuda:0' });
      expect(device.counts().used[0]).toBe(before + 4096);
      return null;
    });
    expect(device.counts().used[0]).toBe(before);
    expect(memory().devices['cuda:0'] ?? 0).toBe(before);
  });

  it('is lost for good, as a GPU after an illegal access', () => {
    device.lose(0);
    for (let i = 0; i < 2; i++)
      expect(() => scope(() => ops.zeros([1], { device: 'cuda:0' }).add(1))).toThrow(
        expect.objectContaining({ code: 'device-lost' }) as Error,
      );
    expect(scope(() => ops.zeros([1], { device: 'cuda:1' }).add(1).item())).toBe(1);
  });
});
