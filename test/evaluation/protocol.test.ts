/** Runs: batch sizes, sweeps, metrics, progress, the journal, and errors of requests. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalError } from '#src/errors.js';
import { run } from '#src/evaluation/run/run.js';
import type { Progress } from '#src/schema/record.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { memory } from '#src/torch/index.js';
import { shipped } from '../golden/load.js';

const small: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 32, maxSamples: 12 },
  batchSize: 4,
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 },
    { kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k: 16 },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
    { kind: 'Crosscoder', checkpoint: shipped('Crosscoder_tiny.pt') },
  ],
};

/** The part of a result that must not depend on the time or the speed of its run. */
const numbers = ({ results, comparisons, data }: EvaluationResult): unknown => ({
  results,
  comparisons,
  data,
});

/**
 * Float32 sums in other blocks differ by some 1e-6, on every CPU elsewhere. Now and then a latent
 * next to a threshold, or next to the k-th largest, changes sides by that: the numbers of one of
 * the 400 tokens move by some percent of theirs. A mean over batches that differ in size would be
 * off by more.
 */
function expectClose(found: number, expected: number, field: string): void {
  expect(Math.abs(found - expected), `${field}: ${found} and ${expected}`).toBeLessThanOrEqual(
    1e-3 * Math.abs(expected) + 1e-9,
  );
}

describe('strict', () => {
  it('does not change with the batch size', async () => {
    const [four, five] = await Promise.all([
      run({ ...small, protocol: ['strict'] }),
      run({ ...small, protocol: ['strict'], batchSize: 5 }),
    ]);
    four.results.forEach(({ strict }, index) => {
      for (const [field, value] of Object.entries(strict!)) {
        if (value === null || Array.isArray(value) || !('mean' in value)) continue;
        const other = five.results[index]!.strict![field as 'NormMSE']!;
        expectClose(value.mean, other.mean, field);
      }
    });
  });

  it('does not change when reference is computed beside it', async () => {
    const alone = await run({ ...small, protocol: ['strict'] });
    const both = await run(small);
    alone.results.forEach(({ strict }, index) => {
      const other = both.results[index]!.strict!;
      // One run computes padded columns, the other leaves them out.
      for (const field of ['NormMSE', 'KLDivPerToken', 'L0'] as const)
        expectClose(strict![field]!.mean, other[field]!.mean, field);
    });
  });
});

describe('sweeps', () => {
  it('give each point what a run with that setting gives, from one pass', async () => {
    const request = { ...small, saes: small.saes.slice(0, 2) };
    const swept = await run({ ...request, inferK: [4, 16, 64] });
    const alone = await run({ ...request, inferK: 4 });
    swept.results.forEach(({ sweep, strict }, index) => {
      expect(sweep?.map(({ inferK }) => inferK)).toEqual([4, 16, 64]);
      const [four, own, many] = sweep!;
      const { strict: strictAlone, reference: referenceAlone } = alone.results[index]!;
      expectClose(
        four!.strict!.KLDivPerToken!.mean,
        strictAlone!.KLDivPerToken!.mean,
        'KLDivPerToken',
      );
      expectClose(four!.reference!.NormMSE!, referenceAlone!.NormMSE!, 'NormMSE');
      // k = 16 is the SAE's own
      expect(own!.strict!.NormMSE!.mean).toBeCloseTo(strict!.NormMSE!.mean, 6);
      expect(many!.strict!.L0!.mean).toBeCloseTo(64, 6);
    });
  });
});

describe('metrics asked for', () => {
  it('leaves out passes that none needs', async () => {
    const { results, comparisons } = await run({ ...small, metrics: ['NormMSE', 'L0'] });
    for (const { reference, strict, notes } of results) {
      expect(reference!.NormMSE).toBeGreaterThan(0);
      expect([
        reference!.KLDiv,
        strict!.KLDivPerToken,
        strict!.DeadLatents,
        strict!.RoutingShare,
      ]).toEqual([null, null, null, null]);
      expect(
        notes.some(({ metric, en }) => metric === 'strict.KLDivPerToken' && /did not ask/.test(en)),
      ).toBe(true);
    }
    expect(new Set(comparisons.map(({ metric }) => metric))).toEqual(new Set(['NormMSE']));
  });
});

describe('progress', () => {
  it('is told within a long batch, and the batch counts when it is done', async () => {
    const seen: Progress[] = [];
    await run(
      {
        ...small,
        saes: small.saes.slice(0, 1),
        dataset: { ...small.dataset, seqLen: 512, maxSamples: 16 },
        batchSize: 16,
        device: 'cpu',
      },
      { progressInterval: 0, onProgress: (progress) => seen.push(progress) },
    );
    const within = seen.slice(0, -1);
    expect(within).toHaveLength(7); // the batch has eight micro-batches
    for (const { samples, total, batches, secondsLeft } of within) {
      expect({ total, batches }).toEqual({ total: 16, batches: 0 });
      expect(samples).toBeGreaterThan(0);
      expect(samples).toBeLessThan(16);
      expect(secondsLeft).toBeGreaterThan(0);
    }
    expect(within.map(({ samples }) => samples)).toEqual(
      within.map(({ samples }) => samples).sort((a, b) => a - b),
    );
    expect(seen.at(-1)).toMatchObject({ samples: 16, total: 16, batches: 1, secondsLeft: 0 });
  });
});

describe('a run that is stopped', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('continues from its journal with the same bits', async () => {
    const whole = await run(small);
    const journal = join(folder, 'journal');
    const stop = new AbortController();
    const first = run(small, {
      journal,
      signal: stop.signal,
      onProgress: ({ batches }) => {
        if (batches === 2) stop.abort();
      },
    });
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    expect(existsSync(journal)).toBe(true);
    const seen: number[] = [];
    const continued = await run(small, {
      journal,
      onProgress: ({ batches }) => seen.push(batches),
    });
    expect(seen).toEqual([3]);
    expect(JSON.stringify(numbers(continued))).toBe(JSON.stringify(numbers(whole)));
  });

  it('ignores the journal of another request, and a damaged one', async () => {
    const journal = join(folder, 'journal');
    const seen: number[] = [];
    await run(
      { ...small, batchSize: 6 },
      { journal, onProgress: ({ batches }) => seen.push(batches) },
    );
    expect(seen).toEqual([1, 2]);
    writeFileSync(journal, 'not a journal');
    await run({ ...small, batchSize: 6 }, { journal });
  });

  it('leaves no tensor behind', async () => {
    await run(small);
    const before = memory().handles;
    await run(small);
    expect(memory().handles).toBe(before);
  });
});

describe('what is wrong with a request', () => {
  const topk = { kind: 'TopK' as const, checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 };
  const cases: [string, Partial<Record<string, unknown>>, string, string, RegExp][] = [
    [
      'a missing checkpoint',
      { saes: [{ ...topk, checkpoint: 'none.pt' }] },
      'file-not-found',
      'saes[0].checkpoint',
      /none\.pt/,
    ],
    [
      'a layer the model lacks',
      { saes: [{ ...topk, layer: 17 }] },
      'sae-option',
      'saes[0].layer',
      /1…16.*found 17/,
    ],
    [
      'no layer',
      { saes: [{ ...topk, layer: undefined }] },
      'sae-option',
      'saes[0].layer',
      /needs layer/,
    ],
    [
      'k above the latents',
      { saes: [{ ...topk, k: 1025 }] },
      'sae-option',
      'saes[0].k',
      /at most 1024.*found 1025/,
    ],
    [
      'k for a kind without one',
      { saes: [{ kind: 'Vanilla', checkpoint: shipped('Vanilla_tiny.pt'), layer: 16, k: 4 }] },
      'sae-option',
      'saes[0].k',
      /has no k/,
    ],
    [
      'no kind where files look alike',
      { saes: [{ checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 }] },
      'sae-kind',
      'saes[0].kind',
      /could be TopK or MLSAE.*set `kind`/,
    ],
    [
      'another kind',
      { saes: [{ ...topk, kind: 'Gated' }] },
      'checkpoint-keys',
      'saes[0].checkpoint',
      /'gate_bias'/,
    ],
    [
      'an unknown kind',
      { saes: [{ ...topk, kind: 'Nonsense' }] },
      'request-invalid',
      'saes[0].kind',
      /./,
    ],
    [
      'routing for a TopK',
      { saes: [{ ...topk, routing: 'soft' }] },
      'sae-option',
      'saes[0].routing',
      /RouteSAE only/,
    ],
    [
      'a label twice',
      {
        saes: [
          { ...topk, label: 'a' },
          { ...topk, label: 'a' },
        ],
      },
      'request-invalid',
      'saes[1].label',
      /used twice/,
    ],
    [
      'inferK beside theta',
      { inferK: 4, theta: 1 },
      'request-invalid',
      'theta',
      /exclude each other/,
    ],
    [
      'a field that is none',
      { saes: [{ ...topk, layers: 3 }] },
      'request-invalid',
      'saes[0].layers',
      /not a field/,
    ],
    [
      'a sequence longer than the positions',
      { dataset: { path: shipped('eval'), seqLen: 4096 } },
      'request-invalid',
      'dataset.seqLen',
      /at most 2048/,
    ],
    [
      'a device that is not there',
      { device: 'cuda:3' },
      'device-unavailable',
      'device',
      /expected one of cpu/,
    ],
    [
      'a model of another width',
      {
        model: join(shipped('..'), 'test/golden/models/llama3'),
        dataset: { path: shipped('eval'), seqLen: 16 },
        saes: [{ ...topk, layer: 1 }],
      },
      'sae-width',
      'saes[0].checkpoint',
      /width 64.*found 128/,
    ],
    [
      'text that is not there',
      { dataset: { path: 'nowhere' } },
      'file-not-found',
      'dataset.path',
      /nowhere/,
    ],
  ];
  it.each(cases)('%s', async (_, change, code, path, message) => {
    const error = await run({ ...small, saes: [topk], ...change }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(SaeEvalError);
    const { code: found, fields } = error as SaeEvalError;
    expect([found, fields[0]?.path]).toEqual([code, path]);
    expect(fields[0]?.message).toMatch(message);
  });

  it('names every field at fault at once', async () => {
    const error = await run({
      ...small,
      model: 'none',
      saes: [
        { ...topk, k: 0 },
        { ...topk, layer: 0 },
      ],
    }).then(
      () => null,
      (thrown: unknown) => thrown as SaeEvalError,
    );
    expect(error?.fields.map(({ path }) => path)).toEqual(['saes[0].k', 'saes[1].layer']);
  });
});
