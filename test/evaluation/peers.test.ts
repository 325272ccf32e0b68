/**
 * SAELens' and SAEBench's numbers against PyTorch and transformers (test/golden/peers/make.py),
 * which compute in float64; the run computes in float32 products on every CPU. Its values differ by
 * rounding, below 1e-5 of each value.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkInputs } from '#src/evaluation/run/inputs.js';
import { run } from '#src/evaluation/run/run.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { planRun } from '#src/evaluation/shards/make-plan.js';
import { merge } from '#src/evaluation/shards/merge.js';
import { ShardRunner } from '#src/evaluation/shards/runner.js';
import { renderReport } from '#src/report/index.js';
import { resultSchema } from '#src/schema/index.js';
import type { EvaluationRequest, EvaluationResult, SaeSpec } from '#src/schema/index.js';
import { golden, shipped } from '../golden/load.js';

type Name = 'saelens@6.52' | 'saelens@6.45.2' | 'saelens@6.44' | 'saebench@0.6';
interface Case {
  model: string;
  sae: string;
  protocol: Name;
  excludeSpecialsFromReconstruction: boolean;
  values: Record<string, number>;
}
const { seqLen, samples, batchSize, cases } = JSON.parse(
  readFileSync(golden('peers/expected.json'), 'utf8'),
) as { seqLen: number; samples: number; batchSize: number; cases: Case[] };
const tolerance = 1e-5;

const labels = ['topk', 'jumprelu', 'gated', 'layer-norm', 'heads', 'head', 'signed'];

const specOf = (label: string): SaeSpec =>
  label === 'signed'
    ? { kind: 'TopK', checkpoint: golden('peers/saes/signed.safetensors'), layer: 2, k: 40, label }
    : { checkpoint: golden(`peers/saes/${label}`), label };

const requestOn = (model: string, change: Partial<EvaluationRequest> = {}): EvaluationRequest => ({
  model: golden(`peers/${model}`),
  dataset: { path: golden('peers/tokens.jsonl'), tokensField: 'ids', chunking: 'document', seqLen },
  saes: labels.map(specOf),
  protocol: ['saelens', 'saelens@6.45.2', 'saelens@6.44', 'saebench'],
  batchSize,
  device: 'cpu',
  ...change,
});
const runOn = (model: string, change: Partial<EvaluationRequest> = {}): Promise<EvaluationResult> =>
  run(requestOn(model, change));

const base = mkdtempSync(join(tmpdir(), 'sae-eval-peers-'));
afterAll(() => rmSync(base, { recursive: true }));

/** Values that are not the expected ones, with both. */
function wrong(result: EvaluationResult, model: string, isExcluding: boolean): string[] {
  return cases
    .filter((one) => one.model === model && one.excludeSpecialsFromReconstruction === isExcluding)
    .flatMap(({ sae, protocol, values }) => {
      const found = result.results.find(({ label }) => label === sae)!;
      const own = found[protocol] as Record<string, number> | null | undefined;
      return Object.entries(values)
        .filter(
          ([name, value]) =>
            !(Math.abs((own?.[name] ?? NaN) - value) <= tolerance * Math.abs(value)),
        )
        .map(([name, value]) => `${sae} ${protocol} ${name}: ${own?.[name]} for ${value}`);
    });
}

describe.each(['llama', 'gpt2'])('on %s', (model) => {
  it('every number is that of the definitions', async () => {
    const result = await runOn(model);
    expect(result.data.samples).toBe(samples);
    expect(result.results.map(({ error }) => error)).toEqual(labels.map(() => null));
    expect(wrong(result, model, false)).toEqual([]);
  });

  it('saebench leaves special tokens unspliced if it is asked to', async () => {
    const result = await runOn(model, {
      protocol: ['saebench'],
      excludeSpecialsFromReconstruction: true,
    });
    expect(wrong(result, model, true)).toEqual([]);
  });
});

describe('beside the other protocols', () => {
  const both = ['reference', 'strict'] as const;
  const four: EvaluationRequest['protocol'] = ['saelens', 'saelens@6.44', 'saebench'];
  const request = requestOn('llama', { protocol: [...both, ...four] });
  const single = run(request);
  const own = ({ results }: EvaluationResult): unknown =>
    results.map(({ label, reference, strict }) => ({ label, reference, strict }));

  it('they leave the numbers of reference and strict alone', async () => {
    expect(
      differing(own(await runOn('llama', { protocol: [...both] })), own(await single)),
    ).toEqual([]);
  });

  it('a finding tells definitions apart, and reports show them', async () => {
    const result = await single;
    expect(result.findings.map(({ code }) => code)).toContain('definitions-differ');
    for (const { explainedVarianceCi95: interval } of result.results)
      expect(interval![0]).toBeLessThan(interval![1]);
    const markdown = await renderReport(result, { format: 'md', lang: 'zh' });
    expect(markdown).toContain('按 SAELens 与 SAEBench 的算法');
    expect(markdown).toContain('explained\\_variance ↑ |');
    const csv = await renderReport(result, { format: 'csv', lang: 'en' });
    expect(csv).toContain('saebench@0.6,,,,average_max_decoder_cosine_sim');
    expect(resultSchema.safeParse(result).success).toBe(true);
  });

  it("metrics filters this project's numbers alone", async () => {
    const few = await runOn('llama', { protocol: ['strict', ...four], metrics: ['NormMSE'] });
    expect(few.results[0]!.strict).toMatchObject({ KLDivPerToken: null, Recovered: null });
    const of = ({ results }: EvaluationResult): unknown =>
      results.map((sae) => [sae['saelens@6.52'], sae['saelens@6.44'], sae['saebench@0.6']]);
    expect(differing(of(few), of(await single))).toEqual([]);
  });

  it('a name without a version stands in the result in full, once', async () => {
    const { config, results } = await runOn('gpt2', {
      saes: [specOf('topk')],
      protocol: ['saelens', 'saelens@6.52'],
    });
    expect(config.protocol).toEqual(['saelens@6.52']);
    expect(results[0]).toMatchObject({ reference: null, strict: null });
    expect(results[0]!['saelens@6.52']).not.toBeNull();
    expect(results[0]).not.toHaveProperty('saebench@0.6');
  });

  it('shards give the bits of one run', async () => {
    const store = new FolderStore(join(base, 'shards'));
    const plan = await planRun(await checkInputs(request), store, { shardSamples: batchSize });
    const cache = new WeightCache();
    const runner = await ShardRunner.open({ store, plan, group: 0, request, cache });
    for (const index of [2, 0, 3, 1]) await runner.run(index);
    runner.close();
    expect((await merge(store)).results).toEqual((await single).results);
  });

  it('a run that was stopped continues with the same bits', async () => {
    const journal = join(base, 'journal');
    const controller = new AbortController();
    const stopped = run(request, {
      journal,
      signal: controller.signal,
      onBatch: (done) => {
        if (done === 2 * batchSize) controller.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    let batches = 0;
    const { results } = await run(request, { journal, onBatch: () => (batches += 1) });
    expect(batches).toBe(2);
    expect(results).toEqual((await single).results);
  });
});

describe('the numbers of the tools', () => {
  it('are null for SAEs of several places, with the reason', async () => {
    const { results } = await run({
      model: shipped('tiny-llama'),
      dataset: { path: shipped('eval'), seqLen: 8, maxSamples: 2 },
      saes: [{ kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k: 4 }],
      protocol: ['saelens'],
      device: 'cpu',
    });
    expect(results[0]).toMatchObject({ error: null, 'saelens@6.52': null });
    expect(results[0]!.notes).toContainEqual(
      expect.objectContaining({ metric: 'saelens@6.52', en: expect.stringContaining('one hook') }),
    );
  });

  it('never count padding, and a note says that the tools have none', async () => {
    const ids = [1, 5, 9, 30, 31, 32];
    const path = join(base, 'short.jsonl');
    writeFileSync(path, `${JSON.stringify({ ids })}\n${JSON.stringify({ ids: ids.slice(1) })}\n`);
    const saes = [specOf('topk')];
    const valuesAt = async (own: number): Promise<EvaluationResult> =>
      runOn('gpt2', {
        saes,
        dataset: { path, tokensField: 'ids', chunking: 'document', seqLen: own },
        protocol: ['reference', 'saelens'],
      });
    const [long, short] = [await valuesAt(16), await valuesAt(6)];
    expect(differing(long.results[0]!['saelens@6.52'], short.results[0]!['saelens@6.52'])).toEqual(
      [],
    );
    expect(long.results[0]!.notes.map(({ metric }) => metric)).toContain('saelens@6.52');
  });

  it('are −1 if SAEBench takes the logarithm of a probability that is zero', async () => {
    const model = join(base, 'loud');
    cpSync(golden('peers/llama'), model, { recursive: true });
    scaleTensor(join(model, 'model.safetensors'), 'lm_head.weight', 100);
    const { results } = await run({
      ...requestOn('llama'),
      model,
      saes: [specOf('topk'), specOf('heads')],
    });
    for (const sae of results) {
      expect(sae['saebench@0.6']).toMatchObject({
        kl_div_with_sae: -1,
        kl_div_with_ablation: -1,
        kl_div_score: -1,
      });
      expect(sae['saelens@6.52']!.kl_div_with_sae).toBeGreaterThan(0);
      expect(sae.notes.map(({ metric }) => metric)).toContain('saebench@0.6.kl_div_with_sae');
    }
  });

  it('cover the samples that are spliced, and all for the rest', async () => {
    const [some, first, all] = await Promise.all([
      runOn('gpt2', { spliceSamples: batchSize }),
      runOn('gpt2', {
        dataset: { ...requestOn('gpt2').dataset, maxSamples: batchSize },
      }),
      runOn('gpt2'),
    ]);
    const valuesOf = ({ results }: EvaluationResult) => results[0]!['saelens@6.52']!;
    expect(valuesOf(some).kl_div_score).toBeCloseTo(valuesOf(first).kl_div_score!, 9);
    expect(valuesOf(some).mse).toBeCloseTo(valuesOf(all).mse!, 9);
  });
});

/** Multiplies a float32 tensor of a safetensors file in place. */
function scaleTensor(path: string, name: string, factor: number): void {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  const [from, to] = header[name]!.data_offsets;
  for (let at = 8 + length + from; at < 8 + length + to; at += 4)
    bytes.writeFloatLE(bytes.readFloatLE(at) * factor, at);
  writeFileSync(path, bytes);
}

/**
 * Paths of numbers that differ: more lanes in one product may change the last bits of a float32
 * pass.
 */
function differing(a: unknown, b: unknown, path = ''): string[] {
  if (typeof a === 'number' && typeof b === 'number')
    return Math.abs(a - b) <= 1e-4 * Math.abs(b) + 1e-6 ? [] : [`${path}: ${a} and ${b}`];
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object')
    return a === b ? [] : [path];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
    differing((a as never)[key], (b as never)[key], `${path}.${key}`),
  );
}
