/**
 * The demo's eight kinds on a simulated device: the numbers of the CPU, and what a micro-batch may
 * cost. A GPU waits for launches and for the host, so both have budgets.
 */
import { copyFileSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { demoRequest } from '#src/cli/demo-request.js';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { differences, numbersOf } from './compare-results.js';
import { simulatedCuda, type Counts, type SimulatedCuda } from './device.js';

const device = 'cuda:1';
const samples = 4;

const request: EvaluationRequest = {
  ...demoRequest(),
  dataset: { ...demoRequest().dataset, seqLen: 64, maxSamples: samples },
};

let cuda: SimulatedCuda;
let result: EvaluationResult;
let loading: Counts;
let running: Counts;

beforeAll(async () => {
  cuda = await simulatedCuda();
  result = await run(
    { ...request, device },
    {
      onLoaded: () => {
        loading = cuda.counts();
        cuda.reset();
      },
    },
  );
  running = cuda.counts();
}, 600_000);

describe('the eight kinds on a device', () => {
  it('give the numbers of the CPU', async () => {
    const onCpu = await run({ ...request, device: 'cpu' });
    // float32 in another order of sums; small differences of large numbers (ΔCE) are absolute.
    expect(differences(result, onCpu, { relative: 1e-4, absolute: 2e-6 })).toEqual([]);
    expect(numbersOf(result).size).toBeGreaterThan(500);
  });

  it('say where they were computed, and how much memory that took', () => {
    expect(result.config.device).toBe(device);
    expect(result.config.deviceName).toBe('Simulated GPU');
    // The weights were there before the run's own tensors, so that the peak is above theirs.
    expect(result.memory.devicePeakBytes).toBeGreaterThan(loading.used[1]!);
    expect(result.memory.devicePeakBytes).toBe(Math.max(loading.peak[1]!, running.peak[1]!));
  });

  it('repeat to the same bits', async () => {
    const again = await run({ ...request, device });
    expect(differences(result, again, { relative: 0, absolute: 0 })).toEqual([]);
  });

  it('leave nothing on either device, and give kept memory back', () => {
    expect(cuda.counts().used).toEqual([0, 0]);
    expect(running.byOperator['emptyCache']).toBe(1);
  });
});

describe('files of weights', () => {
  it('may change once the device has them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sae-eval-copied-'));
    try {
      const sae = request.saes[0]!;
      const copy = join(folder, 'TopK_L16_K16.pt');
      copyFileSync(sae.checkpoint!, copy);
      const saes = [{ ...sae, checkpoint: copy }];
      const whole = { ...request, saes, device, batchSize: 2 };
      const expected = await run(whole);
      const found = await run(whole, { onBatch: () => truncateSync(copy, 100) });
      expect(differences(found, expected, { relative: 1e-5 })).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('loading', () => {
  it('converts no weights on the host', () => {
    expect(loading.hostConversions).toBe(0);
  });

  it('takes none of the other device', () => {
    expect(loading.peak[0]).toBe(0);
    expect(running.peak[0]).toBe(0);
    expect(running.copiesBetweenDevices).toBe(0);
  });
});

describe('a micro-batch of the eight kinds', () => {
  it('is all of the batch', () => {
    expect(result.config.microBatch.sequences).toBeGreaterThanOrEqual(samples);
  });

  it('waits at most three times, for at most two copies to the host', () => {
    expect(running.waits, JSON.stringify(running.waitsByReason)).toBeLessThanOrEqual(3);
    expect(running.copiesToHost).toBeLessThanOrEqual(2);
  });

  it('takes at most four copies to the device after the first', async () => {
    // One more micro-batch, of other samples, costs what the first has not left there.
    let first = 0;
    const counts: number[] = [];
    await run(
      {
        ...request,
        dataset: { ...request.dataset, maxSamples: 2 * samples },
        batchSize: samples,
        device,
      },
      {
        onLoaded: () => cuda.reset(),
        onBatch: () => {
          const { copiesToDevice } = cuda.counts();
          counts.push(copiesToDevice - first);
          first = copiesToDevice;
        },
      },
    );
    expect(counts).toHaveLength(2);
    expect(counts[1]).toBeLessThanOrEqual(4);
  });

  it('launches at most 3,000 operators', () => {
    expect(running.operators).toBeLessThanOrEqual(3000);
  });

  it('has no attention of quadratic memory, and no numbers of the host', () => {
    expect(running.attention['math'] ?? 0).toBe(0);
    expect(running.hostConversions).toBe(0);
    expect(running.hostScalars, JSON.stringify(running.hostScalarsByOperator)).toBe(0);
  });
});
