/**
 * Too little memory on a simulated device: less is computed at once, the numbers stay, and only
 * one sequence by one lane that does not fit is an error.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { demoRequest } from '#src/cli/demo-request.js';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { differences } from './compare-results.js';
import { simulatedCuda, type SimulatedCuda } from './device.js';
import { full } from '../full.js';

const device = 'cuda:1';
const megabyte = 1e6;
/** The whole table of limits, on more samples, where there is time. */
const request: EvaluationRequest = {
  ...demoRequest(),
  dataset: { ...demoRequest().dataset, maxSamples: full ? 8 : 3 },
  device,
};

let cuda: SimulatedCuda;
let unlimited: EvaluationResult;

beforeAll(async () => {
  cuda = await simulatedCuda();
  unlimited = await run(request);
}, 600_000);

afterEach(() => {
  cuda.limit(1, 2 ** 32);
  // An error, too, leaves nothing behind.
  expect(cuda.counts().used).toEqual([0, 0]);
});

/** The run with less memory from the moment that the weights are there. */
async function limited(bytes: number): Promise<EvaluationResult> {
  cuda.limit(1, bytes);
  return run(request);
}

describe('the demo with little memory', () => {
  it.each(full ? [112, 100, 60] : [60])(
    'ends with the same numbers at %d MB',
    async (megabytes) => {
      const result = await limited(megabytes * megabyte);
      expect(differences(result, unlimited, { relative: 1e-5, absolute: 1e-6 })).toEqual([]);
      if (!full) return;
      const again = await limited(megabytes * megabyte);
      expect(differences(again, result, { relative: 0, absolute: 0 })).toEqual([]);
    },
  );

  it.runIf(full)(
    'ends with the same numbers, or tells the bytes, at 35 MB',
    async () => {
      try {
        const result = await limited(35 * megabyte);
        expect(differences(result, unlimited, { relative: 1e-5, absolute: 1e-6 })).toEqual([]);
      } catch (thrown) {
        expect(thrown).toMatchObject({
          code: 'device-memory',
          message: expect.stringMatching(
            /[Oo]ne sequence by one lane .* allocate \d+ bytes/,
          ) as string,
        });
      }
    },
    300_000,
  ); // the blocks of the model come in one after the other, for little at a time

  it('refuses a model that cannot fit before anything is copied', async () => {
    cuda.limit(1, 2 * megabyte);
    cuda.reset();
    await expect(run(request)).rejects.toMatchObject({
      code: 'device-memory',
      message: expect.stringMatching(/parameters in float32 need .*GiB, cuda:1 has/) as string,
    });
    expect(cuda.counts().bytesToDevice).toBe(0);
  });
});

describe.skipIf(!full)('a hundred SAEs', () => {
  it('take no more memory than a few: their lanes run in groups', async () => {
    const layers = Array.from({ length: 96 }, (_, i) => 1 + (i % 16));
    const many: EvaluationRequest = {
      ...request,
      dataset: { ...request.dataset, seqLen: 64, maxSamples: 2 },
      saes: layers.map((layer, i) => ({
        ...demoRequest().saes[0]!,
        layer,
        label: `TopK ${i}`,
      })),
    };
    const whole = await run(many);
    expect(whole.config.microBatch.lanes).toBeUndefined();
    const result = await run(many, {
      onLoaded: () => cuda.limit(1, cuda.counts().used[1]! + 6 * megabyte),
    });
    expect(result.config.microBatch.lanes).toBeLessThan(layers.length);
    expect(differences(result, whole, { relative: 1e-5, absolute: 1e-6 })).toEqual([]);
  });
});

describe('a limit that begins during the run', () => {
  it('makes the micro-batch smaller, says so and keeps the numbers', async () => {
    const notices: string[] = [];
    const result = await run(request, {
      onLoaded: () => cuda.limit(1, cuda.counts().used[1]! + 24 * megabyte),
      onNotice: ({ en }) => notices.push(en),
    });
    expect(result.config.microBatch.sequences).toBeLessThan(unlimited.config.microBatch.sequences);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/memory of cuda:1 ran out/);
    expect(result.data.warnings.map(({ en }) => en)).toContain(notices[0]);
    expect(differences(result, unlimited, { relative: 1e-5, absolute: 1e-6 })).toEqual([]);
  });
});
