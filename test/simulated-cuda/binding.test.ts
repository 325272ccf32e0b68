/** The binding on a simulated device: what people do with tensors of a GPU. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadLanguageModel } from '#src/lm/index.js';
import {
  cuda,
  devices,
  fromTypedArray,
  Generator,
  manualSeed,
  memory,
  ops,
  optim,
  scope,
  setInferenceMode,
  synchronize,
  tensor,
} from '#src/torch/index.js';
import { deviation, forward, readTensors, root } from '../lm/reference.js';
import { simulatedCuda, type SimulatedCuda } from './device.js';

const device = 'cuda:1';
let simulation: SimulatedCuda;
beforeAll(async () => {
  simulation = await simulatedCuda();
});

/** Runs `body`, which must leave nothing on the devices. */
function leavingNothing(body: () => void): void {
  scope(() => {
    body();
    return null;
  });
  expect(simulation.counts().used).toEqual([0, 0]);
}

describe('the binding on a device', () => {
  it('tells its memory before the first tensor, and its peak', () => {
    expect(cuda.memory(device)).toMatchObject({ allocatedBytes: 0, peakBytes: 0 });
    leavingNothing(() => {
      ops.zeros([1024], { device }).dispose();
      expect(cuda.memory(device)).toMatchObject({ allocatedBytes: 0, peakBytes: 4096 });
      cuda.resetPeak(device);
      expect(cuda.memory(device).peakBytes).toBe(0);
    });
  });

  it('lists the devices, and refuses others', () => {
    expect(devices()).toEqual(['cpu', 'cuda:0', 'cuda:1']);
    expect(() => ops.zeros([1], { device: 'cuda:2' })).toThrow(
      expect.objectContaining({ code: 'device-unavailable' }) as Error,
    );
    expect(() => cuda.memory(2)).toThrow(/2 CUDA devices, counted from 0/);
  });

  it('means the chosen device by `cuda`', () => {
    leavingNothing(() => {
      expect(ops.zeros([1], { device: 'cuda' }).device).toBe('cuda:0');
      cuda.setDevice(1);
      expect(ops.zeros([1], { device: 'cuda' }).device).toBe('cuda:1');
      cuda.setDevice(0);
    });
  });

  it('moves tensors there and back, without a wait for those on the way', () => {
    leavingNothing(() => {
      simulation.reset();
      const there = fromTypedArray(Float64Array.of(1, 2, 3), [3], { device, dtype: 'float32' });
      expect(there).toMatchObject({ device, dtype: 'float32' });
      expect(simulation.counts()).toMatchObject({ waits: 0, hostConversions: 0 });
      expect(there.to('cuda:0').toArray()).toEqual([1, 2, 3]);
      expect(simulation.counts().copiesBetweenDevices).toBe(1);
      expect(() => there.asTypedArray()).toThrow(/row-major and on the CPU|CPU/);
    });
  });

  it('indexes with lists and masks, and writes through an index', () => {
    leavingNothing(() => {
      const x = ops.arange(12, { device, dtype: 'float32' }).reshape([3, 4]);
      expect(x.index([0, [1, 2]]).toArray()).toEqual([1, 2]);
      expect(x.index([x.gt(9)]).toArray()).toEqual([10, 11]);
      x.indexPut_([0, [0, 1]], tensor([50, 60], { device }));
      expect(x.select(0, 0).toArray()).toEqual([50, 60, 2, 3]);
    });
  });

  it('has generators of its own', () => {
    leavingNothing(() => {
      const generator = new Generator(device).manualSeed(3);
      const first = ops.randn([4], { generator, device });
      expect(ops.randn([4], { generator: generator.manualSeed(3), device }).equal(first)).toBe(
        true,
      );
      expect(() => ops.randn([4], { generator: new Generator(), device })).toThrow(
        /Expected a 'cuda' device type for generator/,
      );
      manualSeed(7);
      const seeded = ops.randn([4], { device });
      cuda.manualSeed(7, device);
      expect(ops.randn([4], { device }).equal(seeded)).toBe(true);
    });
  });

  it('computes in the background, on that device', async () => {
    const x = ops.ones([8, 8], { device });
    const products = await Promise.all(Array.from({ length: 4 }, () => ops.matmul.async(x, x)));
    for (const product of [...products]) {
      expect(product.device).toBe(device);
      expect(scope(() => product.sum().item())).toBe(512);
      product.dispose();
    }
    x.dispose();
    synchronize(device);
    expect(simulation.counts().used).toEqual([0, 0]);
  });

  it('trains', () => {
    const w = ops.ones([3, 3], { device });
    w.requiresGrad = true;
    const adam = new optim.Adam([w], { lr: 0.1 });
    const loss = (): number => scope(() => Number(w.square().sum().item()));
    const before = loss();
    for (let step = 0; step < 3; step++)
      scope(() => {
        adam.zeroGrad();
        w.square().sum().backward();
        adam.step();
        return null;
      });
    const gradient = w.grad!;
    expect(gradient.device).toBe(device);
    expect(loss()).toBeLessThan(before);
    adam.dispose();
    gradient.dispose();
    w.dispose();
    expect(memory().devices[device] ?? 0).toBe(0);
  });

  it('runs a program of TorchScript', async () => {
    const fixture = join(root, 'test/lm/fixtures/torchscript');
    const folder = mkdtempSync(join(tmpdir(), 'sae-eval-script-'));
    try {
      for (const name of ['manifest.json', 'model.pt'])
        copyFileSync(join(fixture, name), join(folder, name));
      for (const name of ['tokenizer.json', 'tokenizer_config.json'])
        copyFileSync(join(root, 'checkpoints/tiny-llama', name), join(folder, name));
      setInferenceMode(true);
      const model = await loadLanguageModel(folder, { device, allowProgram: true });
      const expected = await readTensors(join(fixture, 'expected.safetensors'));
      const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
      const ids = expected.get('input_ids')!.to({ device });
      const found = forward(model, ids, lengths);
      const logits = found.states.get('logits')!.cpu();
      expect(deviation(logits, expected.get('logits')!, found)).toBeLessThan(1e-4);
      for (const one of [...found.states.values(), ...expected.values(), ids, logits])
        one.dispose();
      model.dispose();
      expect(memory().devices[device] ?? 0).toBe(0);
    } finally {
      setInferenceMode(false);
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
