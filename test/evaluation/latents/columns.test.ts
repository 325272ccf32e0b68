/**
 * Every column of the latents table against PyTorch and NumPy (test/golden/latents/make.py), and
 * the same bits of a run in one piece, in shards, and of one that was continued.
 *
 * The model computes in float32 on both sides; what follows is float64 there. make.py checks that
 * no count hangs on rounding. Activations agree within 2e-5 (some 1e-6 was seen), norms and cosines
 * within 1e-6.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLatents } from '#src/evaluation/latents/read-latents.js';
import { run, type RunOptions } from '#src/evaluation/run/run.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { planRun } from '#src/evaluation/shards/make-plan.js';
import { merge } from '#src/evaluation/shards/merge.js';
import { ShardRunner } from '#src/evaluation/shards/runner.js';
import { openInputs } from '#src/evaluation/run/inputs.js';
import type { EvaluationRequest, Latent, Latents } from '#src/schema/index.js';
import { memory } from '#src/torch/index.js';
import { golden, shipped } from '../../golden/load.js';

interface Expected {
  m: number;
  positions: number;
  dead: number;
  active: number;
  sum: number;
  rows: Latent[];
}
const { seqLen, contexts, saes } = JSON.parse(
  readFileSync(golden('latents/expected.json'), 'utf8'),
) as { seqLen: number; contexts: number; saes: Record<string, Expected> };

const request = (change: Partial<EvaluationRequest> = {}): EvaluationRequest => ({
  model: shipped('tiny-llama'),
  dataset: {
    path: golden('latents/tokens.jsonl'),
    tokensField: 'ids',
    chunking: 'document',
    seqLen,
  },
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 12, k: 16, exclude: 'specials' },
    { kind: 'JumpReLU', checkpoint: shipped('JumpReLU_tiny.pt'), layer: 8 },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
    { checkpoint: shipped('Crosscoder_tiny.pt') },
  ],
  metrics: ['NormMSE'],
  batchSize: 2,
  device: 'cpu',
  latents: contexts,
  ...change,
});

const counts = new Set(['latent', 'active', 'samples', 'twin']);
const tolerances: Partial<Record<keyof Latent, number>> = { mean: 2e-5, max: 2e-5 };

function expectRow(found: Latent, wanted: Latent): void {
  for (const [name, value] of Object.entries(wanted)) {
    const own = found[name as keyof Latent];
    const at = `${found.sae} ${found.latent} ${name}`;
    if (name === 'contexts') continue;
    if (typeof value !== 'number') expect(own, at).toEqual(value);
    else if (counts.has(name)) expect(own, at).toBe(value);
    else
      expect(
        Math.abs((own as number) - value),
        `${at}: ${String(own as number)}, ${value}`,
      ).toBeLessThan((tolerances[name as keyof Latent] ?? 1e-6) * Math.max(1, Math.abs(value)));
  }
  expect(found.contexts.length).toBe(wanted.contexts.length);
  wanted.contexts.forEach(({ value, ...place }, i) => {
    const { value: own, ...there } = found.contexts[i]!;
    expect(there, `${found.sae} ${found.latent}`).toMatchObject(place);
    expect(Math.abs(own - value)).toBeLessThan(2e-5 * Math.max(1, value));
  });
}

function expectTable(found: Latents, wanted: Expected): void {
  const { m, positions, dead } = wanted;
  expect(found).toMatchObject({ m, positions, dead, contexts });
  for (const row of wanted.rows) expectRow(found.latents[row.latent]!, row);
  const total = (of: (row: Latent) => number): number =>
    found.latents.reduce((sum, row) => sum + of(row), 0);
  expect(total(({ active }) => active)).toBe(wanted.active);
  expect(total(({ histogram }) => histogram.reduce((a, b) => a + b, 0))).toBe(wanted.active);
  const sum = total(({ mean, active }) => (mean ?? 0) * active);
  expect(Math.abs(sum / wanted.sum - 1)).toBeLessThan(1e-5);
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-latents-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function tables(path: string, labels: readonly string[]): Promise<Latents[]> {
  const read = (sae: string): Promise<Latents> =>
    readLatents(path, { sae, limit: Number.MAX_SAFE_INTEGER });
  return Promise.all(labels.map(read));
}

async function runTo(name: string, options: RunOptions = {}, change = {}): Promise<Latents[]> {
  const path = join(folder, name);
  const { results } = await run(request(change), { latents: path, ...options });
  return tables(
    path,
    results.map(({ label }) => label),
  );
}

describe('the latents table', () => {
  let whole: Latents[];

  it('has every column as PyTorch and NumPy compute it', async () => {
    const before = memory().handles;
    whole = await runTo('whole.parquet');
    expect(memory().handles).toBe(before);
    expect(whole.map(({ sae }) => sae)).toEqual(['TopK', 'JumpReLU', 'MLSAE', 'Crosscoder']);
    for (const found of whole) expectTable(found, saes[found.sae]!);
  });

  it('has a row for each latent of a transcoder, whose two spaces have no cosine', async () => {
    const model = join(folder, 'llama3');
    mkdirSync(model);
    for (const from of ['models/llama3', 'models-tokenizers/words'])
      for (const file of readdirSync(golden(from)))
        symlinkSync(golden(`${from}/${file}`), join(model, file));
    const path = join(folder, 'transcoder.parquet');
    const asked = {
      model,
      dataset: {
        path: golden('transcoders/tokens.jsonl'),
        tokensField: 'ids',
        chunking: 'document',
        seqLen: 12,
      },
      saes: [
        { label: 'transcoder', checkpoint: golden('transcoders/saelens') },
        { label: 'clt', checkpoint: golden('transcoders/clt') },
      ],
      metrics: ['L0', 'DeadLatents'],
    } satisfies Partial<EvaluationRequest>;
    const { results, latents: summary } = await run(request(asked), { latents: path });
    const [found, layered] = await tables(path, ['transcoder', 'clt']);
    expectTable(found!, saes['transcoder']!);
    const twins = found!.latents.filter(({ twinCosine }) => twinCosine! >= 0.9).length;
    const dense = found!.latents.filter(({ density }) => density! > 0.1).length;
    expect(summary![0]).toEqual({
      sae: 'transcoder',
      m: 64,
      positions: found!.positions,
      dead: found!.dead,
      dense,
      twins,
    });
    // The layers of a cross-layer SAE have latents of their own, each of which writes to several.
    const { m, latents } = layered!;
    const { layers, strict } = results[1]!;
    const own = m / layers!.length;
    expect(latents.map(({ layer }) => layer)).toEqual(
      latents.map((_, latent) => layers![Math.floor(latent / own)]),
    );
    expect(layered!.dead / m).toBe(strict!.DeadLatents!.mean);
    const density = latents.reduce((sum, row) => sum + row.density!, 0);
    expect(density / layers!.length).toBeCloseTo(strict!.L0!.mean, 10);
    expect(latents[0]).toMatchObject({ encoderNorm: null, decoderNorm: null, twin: null });
  });

  it('is the same, bit for bit, of shards that were merged', async () => {
    const store = new FolderStore(join(folder, 'shards'));
    const cache = new WeightCache();
    const inputs = await openInputs(request(), { cache });
    const plan = await planRun(inputs, store, { shardSamples: 2, saesPerShard: 2 });
    inputs.loans.release();
    for (const group of [1, 0]) {
      const runner = await ShardRunner.open({ store, plan, group, request: request(), cache });
      const own = plan.shards.filter((shard) => shard.group === group).reverse();
      for (const { index } of own) await runner.run(index);
      runner.close();
    }
    const path = join(folder, 'merged.parquet');
    const { data, latents: summary } = await merge(store, { latents: path });
    expect(summary!.map(({ dead }) => dead)).toEqual(whole.map(({ dead }) => dead));
    expect(data.warnings).toEqual([]);
    expect(
      await tables(
        path,
        whole.map(({ sae }) => sae),
      ),
    ).toEqual(whole);
  });

  it('is the same, bit for bit, of a run that was stopped and continued', async () => {
    const journal = join(folder, 'journal');
    const stop = new AbortController();
    const first = await runTo('part.parquet', {
      journal,
      stop: stop.signal,
      onBatch: () => stop.abort(),
    });
    expect(first.map(({ samples }) => samples)).toEqual([2, 2, 2, 2]);
    expect(await runTo('continued.parquet', { journal })).toEqual(whole);
  });

  it('has places without text if none is asked for, and counts under reference too', async () => {
    const found = await runTo('none.parquet', {}, { latents: 0, protocol: ['reference'] });
    const bare = ({ latents, ...rest }: Latents): unknown => ({
      ...rest,
      contexts: 0,
      latents: latents.map((row) => ({ ...row, contexts: [] })),
    });
    expect(found).toEqual(whole.map(bare));
  });
});
