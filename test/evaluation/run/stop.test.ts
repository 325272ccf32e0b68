/** A run that is stopped and keeps what it did: numbers over the samples done, and no others. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, type RunOptions } from '#src/evaluation/run/run.js';
import { evaluate, type EvaluationRequest, type EvaluationResult } from '#src/index.js';
import { shipped } from '../../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-stop-'));
const journal = join(folder, 'journal');
const sums = join(folder, 'sums.safetensors');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 64, maxSamples: 60 },
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 },
    { checkpoint: shipped('RouteSAE_tiny.pt'), k: 16 },
  ],
  batchSize: 24,
  metrics: ['NormMSE', 'KLDiv', 'DeadLatents', 'RoutingShare'],
};

/** Stops as soon as that many samples are done. */
function stoppedAt(samples: number, options: RunOptions = {}): Promise<EvaluationResult> {
  const stop = new AbortController();
  return run(request, {
    ...options,
    stop: stop.signal,
    progressInterval: 0,
    onProgress: (progress) => {
      if (progress.samples >= samples) stop.abort();
    },
  });
}

describe('a run that is stopped within its second batch', () => {
  let stopped: EvaluationResult;
  beforeAll(async () => {
    stopped = await stoppedAt(30, { journal, sums });
  });

  it('has the numbers of a run over the samples that were done', async () => {
    const { samples, batches, warnings } = stopped.data;
    expect(stopped).toMatchObject({ status: 'cancelled', stopped: true });
    expect(batches).toBe(2);
    expect(samples).toBeGreaterThanOrEqual(30);
    expect(samples).toBeLessThan(48);
    expect(warnings.map(({ en }) => en)).toEqual([
      `The run was stopped after ${samples} of 60 samples; the numbers are those of these.`,
    ]);
    const whole = await run({ ...request, dataset: { ...request.dataset, maxSamples: samples } });
    expect(whole).not.toHaveProperty('stopped');
    expect(whole.results[0]!.strict!.KLDivPerToken!.ci95).not.toBeNull();
    expect(stopped.results).toEqual(whole.results);
    expect(stopped.comparisons).toEqual(whole.comparisons);
    expect(stopped.findings.filter(({ code }) => code !== 'stopped')).toEqual(whole.findings);
    expect(stopped.findings).toHaveLength(whole.findings.length + 1);
    expect(existsSync(sums)).toBe(true);
  });

  it('continues after its finished batch if it is asked for again', async () => {
    let first: number | undefined;
    const continued = await run(request, { journal, onBatch: (samples) => (first ??= samples) });
    expect(first).toBe(48);
    const whole = await run(request);
    expect(continued.status).toBe('succeeded');
    expect(continued.results).toEqual(whole.results);
    expect(continued.data).toEqual(whole.data);
  });
});

it('has no result before a sample is done', async () => {
  const stop = AbortSignal.abort();
  await expect(run(request, { stop })).rejects.toMatchObject({
    code: 'cancelled',
    message: 'The evaluation was stopped before a sample was done, so there is no result.',
  });
});

it('is a whole result if the stop comes after the last sample', async () => {
  const result = await stoppedAt(60);
  expect(result).toMatchObject({ status: 'succeeded', data: { samples: 60 } });
  expect(result).not.toHaveProperty('stopped');
});

it('is stopped in its process by `evaluate` too', async () => {
  const stop = new AbortController();
  const result = await evaluate(
    { ...request, dataset: { ...request.dataset, maxSamples: 150 }, batchSize: 2 },
    { stop: stop.signal, onProgress: ({ samples }) => samples >= 4 && stop.abort() },
  );
  expect(result).toMatchObject({ status: 'cancelled', stopped: true });
  expect(result.data.samples).toBeLessThan(150);
});
