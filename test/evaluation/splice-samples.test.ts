/**
 * `spliceSamples`: metrics of spliced passes have the numbers of a run over the first so many
 * samples, all others those of a run over all.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '#src/evaluation/run/run.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { fieldsOf, metrics, readsSplices } from '#src/metrics/table.js';
import { renderReport } from '#src/report/index.js';
import { renderSummary } from '#src/report/terminal.js';
import {
  protocolNames,
  requestSchema,
  type EvaluationRequest,
  type EvaluationResult,
} from '#src/schema/index.js';
import { shipped, tensorsOf } from '../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-splice-samples-'));
const cache = new WeightCache({ limitBytes: 1e9 });
afterAll(() => {
  cache.clear();
  rmSync(folder, { recursive: true, force: true });
});

const single = { layer: 16 };
const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 8, maxSamples: 30 },
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), k: 16, ...single, exclude: 'specials' },
    { checkpoint: shipped('RouteSAE_tiny.pt'), k: 16 },
    { checkpoint: shipped('RouteSAE_tiny.pt'), k: 16, routing: 'soft', label: 'soft' },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
    { kind: 'Vanilla', checkpoint: shipped('Vanilla_tiny.pt'), ...single },
    { kind: 'Gated', checkpoint: shipped('Gated_tiny.pt'), layer: 8 },
    { kind: 'JumpReLU', checkpoint: shipped('JumpReLU_tiny.pt'), hook: 'blocks.7.hook_mlp_out' },
    { kind: 'Crosscoder', checkpoint: shipped('Crosscoder_tiny.pt') },
    { kind: 'RandomK', checkpoint: shipped('TopK_tiny.pt'), k: 16 },
  ],
  batchSize: 4,
};
const over = (maxSamples: number): EvaluationRequest => ({
  ...request,
  dataset: { ...request.dataset, maxSamples },
});

/** All numbers of a value by their path. */
function numbersOf(value: unknown, path = ''): [string, number][] {
  if (typeof value === 'number') return [[path, value]];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, one]) => numbersOf(one, `${path}.${key}`));
}

/** The same numbers, to a relative tolerance. */
function same(found: unknown, expected: unknown, tolerance: number, where: string): void {
  const [a, b] = [numbersOf(found), numbersOf(expected)];
  expect(
    a.map(([path]) => path),
    where,
  ).toEqual(b.map(([path]) => path));
  for (const [index, [path, value]] of b.entries())
    expect(
      Math.abs(a[index]![1] - value),
      `${where}${path}: ${a[index]![1]} for ${value}`,
    ).toBeLessThanOrEqual(tolerance * Math.abs(value));
}

const splicedFields = new Set(
  protocolNames.flatMap((protocol) =>
    fieldsOf(protocol, metrics.filter(readsSplices)).map(({ field }) => field),
  ),
);

/** Checks each number against the run that it must come from. */
function check(
  result: EvaluationResult,
  { first, all }: { first: EvaluationResult; all: EvaluationResult },
  tolerance: { spliced: number; measured: number },
): void {
  const ofField = (field: string): [EvaluationResult, number] =>
    splicedFields.has(field) ? [first, tolerance.spliced] : [all, tolerance.measured];
  for (const [index, sae] of result.results.entries()) {
    expect(sae.error).toBeNull();
    for (const protocol of protocolNames) {
      const own = sae[protocol] as Record<string, unknown>;
      for (const [field, value] of Object.entries(own)) {
        const [from, most] = ofField(field);
        const wanted = from.results[index]![protocol] as Record<string, unknown>;
        same(value, wanted[field], most, `${sae.label} ${protocol}.${field}`);
      }
      for (const [slot, layer] of (sae.perLayer ?? []).entries())
        for (const [field, value] of Object.entries(layer[protocol] ?? {})) {
          const [from, most] = ofField(field);
          const wanted = from.results[index]!.perLayer![slot]![protocol];
          const where = `${sae.label} ${layer.layer} ${protocol}.${field}`;
          same(value, (wanted as Record<string, unknown>)[field], most, where);
        }
    }
    expect(sae.positions).toEqual(all.results[index]!.positions);
  }
  expect(result.comparisons).toHaveLength(all.comparisons.length);
  for (const [index, one] of result.comparisons.entries()) {
    const [from, most] = ofField(one.metric);
    const wanted = from.comparisons[index]!;
    expect([one.metric, one.a, one.b]).toEqual([wanted.metric, wanted.a, wanted.b]);
    // A difference cancels: its error is that of the values.
    if (most === 0) expect(one).toEqual(wanted);
  }
}

describe('spliceSamples', () => {
  let all: EvaluationResult;
  beforeAll(async () => {
    all = await run(over(30), { cache });
  });

  it('at the end of a batch gives the numbers of both runs', async () => {
    const sums = join(folder, 'sums.safetensors');
    const first = await run(over(20), { cache });
    const result = await run({ ...request, spliceSamples: 20 }, { cache, sums });
    check(result, { first, all }, { spliced: 1e-12, measured: 1e-12 });
    const { strict } = result.results[0]!;
    expect(strict!.KLDivPerToken!.ci95).not.toBeNull();
    expect(strict!.KLDivPerToken).not.toEqual(all.results[0]!.strict!.KLDivPerToken);
    expect(result.data).toEqual({ ...all.data, spliceSamples: 20 });
    expect(result.config.spliceSamples).toBe(20);

    const tensors = await tensorsOf(sums);
    const rows = (name: string): number => tensors.get(name)!.shape[0]!;
    expect([rows('tokens'), rows('MLSAE/strict/0/nmse'), rows('TopK/strict/positions')]).toEqual([
      30, 30, 30,
    ]);
    expect([rows('TopK/strict/0/kl'), rows('TopK/strict/ceClean')]).toEqual([20, 20]);
    for (const tensor of tensors.values()) tensor.dispose();
  });

  it('within a batch cuts it, after a stop too', async () => {
    const journal = join(folder, 'journal');
    const first = await run(over(22), { cache });
    const own = { ...request, spliceSamples: 22 };
    const result = await run(own, { cache });
    // Products of the micro-batch that was cut have fewer rows and may round otherwise.
    check(result, { first, all }, { spliced: 1e-12, measured: 1e-5 });
    for (const batches of [2, 6]) {
      const stop = new AbortController();
      const part = await run(own, {
        cache,
        journal,
        stop: stop.signal,
        onBatch: (samples) => samples === 4 * batches && stop.abort(),
      });
      expect(part.stopped).toBe(true);
      expect(part.data.spliceSamples).toBe(batches === 2 ? undefined : 22);
      if (batches === 2) continue;
      expect(part.results[0]!.strict!.KLDivPerToken).toEqual(
        result.results[0]!.strict!.KLDivPerToken,
      );
    }
    const continued = await run(own, { cache, journal });
    expect(continued.results).toEqual(result.results);
    expect(continued.comparisons).toEqual(result.comparisons);
  });

  it('is as if absent if there are no more samples', async () => {
    const { results, comparisons, data } = await run({ ...request, spliceSamples: 30 }, { cache });
    expect([results, comparisons, data]).toEqual([all.results, all.comparisons, all.data]);
  });

  it('is named where the numbers are read', async () => {
    const result = await run({ ...request, spliceSamples: 8 }, { cache });
    const found = result.findings.find(({ code }) => code === 'too-few-samples');
    expect(found).toMatchObject({ evidence: { samples: 8, needed: 20 } });
    expect(found!.message.en).toContain('8 spliced samples are too few');
    expect(result.results[0]!.strict!.KLDivPerToken!.ci95).toBeNull();
    expect(result.results[0]!.strict!.NormMSE!.ci95).toEqual(all.results[0]!.strict!.NormMSE!.ci95);
    expect(renderSummary(result).join('\n')).toContain('such as KL, are over the first 8.');
    expect(
      result.summary!.statements.find(({ code }) => code === 'no-intervals')!.message.en,
    ).toContain('too few samples were spliced');
    for (const [lang, text, row] of [
      [
        'en',
        'Over the first 8 samples: KL per token, KL per sequence, ΔCE, Loss recovered;',
        'Samples that were spliced',
      ],
      ['zh', '仅基于前 8 个样本：每词元 KL、每序列 KL、ΔCE、损失恢复率；', '被替换的样本数'],
    ] as const) {
      const report = await renderReport(result, { format: 'md', lang });
      expect(report).toContain(text);
      expect(report).toContain(row);
    }
  });

  it('is at least 1', () => {
    expect(requestSchema.safeParse({ ...request, spliceSamples: 0 }).error!.issues).toMatchObject([
      { path: ['spliceSamples'] },
    ]);
  });
});
