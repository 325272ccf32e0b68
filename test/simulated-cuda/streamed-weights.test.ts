/**
 * A model that is larger than the simulated device: its blocks are brought in one after the other,
 * the bits are those of the run with all weights on the device, and each sweep copies each block
 * once.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demoRequest } from '#src/cli/demo-request.js';
import { readModelConfig } from '#src/lm/config.js';
import { modelSize, WeightFiles } from '#src/lm/weight-files.js';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { shipped } from '../golden/load.js';
import { simulatedCuda, type Counts, type SimulatedCuda } from './device.js';

const device = 'cuda:1';
const demo = demoRequest();
const request: EvaluationRequest = {
  ...demo,
  dataset: { ...demo.dataset, maxSamples: 6, seqLen: 32 },
  batchSize: 2,
  // A layer, the last layer, and one whose lanes need a round of their own.
  saes: [{ ...demo.saes[0]!, layer: 8 }, demo.saes[3]!, demo.saes[1]!],
  device,
};

let cuda: SimulatedCuda;
let folder: string;
let size: ReturnType<typeof modelSize>;
beforeAll(async () => {
  cuda = await simulatedCuda();
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  const path = shipped('tiny-llama');
  size = modelSize(await WeightFiles.read(path), await readModelConfig(path), 'float32');
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true }));

const numbersOf = ({ results }: EvaluationResult): unknown => results;

interface Measured {
  result: EvaluationResult;
  counts: Counts;
  notices: string[];
}

/** A run that is stopped after the first batch and continued with that much memory. */
async function continued(name: string, bytes: number): Promise<Measured> {
  const journal = join(folder, name);
  // So little that little is decided to be computed at once, and all weights fit.
  cuda.limit(1, 32e6);
  const stop = new AbortController();
  await run(request, { journal, stop: stop.signal, onBatch: () => stop.abort() });
  cuda.limit(1, bytes);
  cuda.reset();
  const notices: string[] = [];
  const result = await run(request, { journal, onNotice: ({ en }) => notices.push(en) });
  const counts = cuda.counts();
  cuda.limit(1, 2 ** 32);
  expect(counts.used).toEqual([0, 0]);
  return { result, counts, notices };
}

describe('a device smaller than the weights', () => {
  it('gives the bits of one that has room, and copies each block once for a round', async () => {
    const whole = await continued('whole', 2 ** 32);
    expect(whole.notices).toEqual([]);
    const ofOthers = whole.counts.peak[1]! - size.bytes;
    const { blockBytes, endBytes, bytes } = size;
    // Room for what lies outside of the blocks, for two blocks of sixteen, and for streams.
    const limit = endBytes + 2 * blockBytes + ofOthers + 4e6;
    expect(limit).toBeLessThan(bytes);
    const swept = await continued('swept', limit);
    expect(numbersOf(swept.result)).toEqual(numbersOf(whole.result));
    expect(swept.notices).toEqual([expect.stringMatching(/blocks were brought in one after/)]);
    // Files hold bfloat16, and the device converts. Four micro-batches are left.
    const ofBlocks = (bytes - endBytes) / 2;
    const more = swept.counts.bytesToDevice - whole.counts.bytesToDevice;
    const sweeps = more / ofBlocks + 1;
    expect(whole.result.config.microBatch.sequences).toBe(1);
    expect([2 * 1, 2 * 2]).toContain(sweeps); // two rounds for all of them, or for two at a time
  });

  it('gives the same bits with blocks in the memory of another device', async () => {
    const whole = await continued('whole-again', 2 ** 32);
    const { blockBytes, endBytes, bytes } = size;
    const limit = endBytes + 2 * blockBytes + (whole.counts.peak[1]! - bytes) + 4e6;
    // Five of sixteen blocks lie there, and a part of its memory stays free.
    cuda.limit(0, Math.ceil(5.5 * blockBytes * (16 / 15)));
    process.env['SAE_EVAL_WEIGHT_DEVICES'] = 'all';
    let spread: Measured;
    try {
      spread = await continued('spread', limit);
    } finally {
      delete process.env['SAE_EVAL_WEIGHT_DEVICES'];
      cuda.limit(0, 2 ** 32);
    }
    expect(numbersOf(spread.result)).toEqual(numbersOf(whole.result));
    expect(spread.notices).toEqual([expect.stringContaining('the memory of cuda:0 (5)')]);
    expect(spread.counts.copiesBetweenDevices).toBeGreaterThan(0);
    expect(spread.counts.peak[0]! / blockBytes).toBeGreaterThan(4.9);
    expect(spread.counts.peak[0]! / blockBytes).toBeLessThan(5.5);
  });

  it('refuses a device for weights that is not there', async () => {
    process.env['SAE_EVAL_WEIGHT_DEVICES'] = 'cuda:0,cuda:7';
    try {
      await expect(run(request)).rejects.toMatchObject({
        code: 'configuration-invalid',
        message: expect.stringContaining('some of cuda:0, cuda:1, found cuda:7') as string,
      });
    } finally {
      delete process.env['SAE_EVAL_WEIGHT_DEVICES'];
    }
  });

  it('refuses what does not fit block by block before anything is copied', async () => {
    cuda.limit(1, size.endBytes);
    cuda.reset();
    await expect(run(request)).rejects.toMatchObject({
      code: 'device-memory',
      message: expect.stringMatching(/one block beside embedding and head .* GiB/) as string,
    });
    expect(cuda.counts().bytesToDevice).toBe(0);
    cuda.limit(1, 2 ** 32);
  });
});
