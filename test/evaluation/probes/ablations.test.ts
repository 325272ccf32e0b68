/**
 * Latents set to zero under probes: against sums token by token in PyTorch with scikit-learn's
 * regressions (test/golden/probes/make.py; within half a point, as no score lies near 0), and on
 * planted concepts, of which the right numbers are known.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { DocumentMeans } from '#src/evaluation/probes/document-means.js';
import { spuriousRemoval } from '#src/evaluation/probes/spurious-removal.js';
import { targetedPerturbation } from '#src/evaluation/probes/targeted-perturbation.js';
import { turnOf } from '#src/evaluation/probes/turn.js';
import { run } from '#src/evaluation/run/run.js';
import { renderReport } from '#src/report/index.js';
import { loadSAE, type Dictionary } from '#src/sae/index.js';
import type { EvaluationRequest, EvaluationResult, ProbeResult } from '#src/schema/index.js';
import { SparseBuilder } from '#src/statistics/features.js';
import { foldsOf, rowsByLabel, taskOf } from '#src/statistics/label-task.js';
import { golden, shipped } from '../../golden/load.js';

interface Point {
  latents: number;
  intended: number;
  unintended: number;
  after: number;
  score: number;
}
interface Expected {
  clean: number;
  before: number;
  direction: string;
  top: Point[];
}
const { run: expected } = JSON.parse(readFileSync(golden('probes/expected.json'), 'utf8')) as {
  run: Record<'perturbation' | 'removal', Record<'TopK' | 'planted', Expected>>;
};

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-ablations-'));
afterAll(() => rmSync(folder, { recursive: true }));

const topics = shipped('labelled/topics.jsonl');
const two = join(folder, 'two.jsonl');
writeFileSync(
  two,
  readFileSync(topics, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.includes('"weather"'))
    .join('\n'),
);
const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), maxSamples: 2, seqLen: 16 },
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 10, k: 16 },
    {
      kind: 'Vanilla',
      checkpoint: golden('probes/planted.safetensors'),
      layer: 10,
      label: 'planted',
      normalization: 'none',
    },
  ],
  probes: [
    { path: topics, seqLen: 64 },
    { path: topics, labelField: 'tense', seqLen: 64, tasks: ['sparseProbing'] },
    { path: two, seqLen: 64, spuriousField: 'tense', tasks: ['spuriousRemoval'] },
  ],
  protocol: ['strict'],
  metrics: ['NormMSE'],
  device: 'cpu',
};
let made: Promise<EvaluationResult> | null = null;
const probes = async (): Promise<ProbeResult[]> => (await (made ??= run(request))).probes!;
const near = (found: number, wanted: number): void =>
  expect(Math.abs(found - wanted)).toBeLessThan(0.005);

describe('probes of a run with latents set to zero', () => {
  it.each(['TopK', 'planted'] as const)('are perturbed as token by token: %s', async (label) => {
    const [topic] = await probes();
    const { targetedPerturbation: found } = topic!.saes.find(({ sae }) => sae === label)!;
    const { clean, top } = expected.perturbation[label];
    near(found!.clean, clean);
    expect(found!.top.map(({ latents }) => latents)).toEqual(top.map(({ latents }) => latents));
    top.forEach(({ intended, unintended }, at) => {
      const own = found!.top[at]!;
      near(own.intended, intended);
      near(own.unintended, unintended);
      near(own.score.mean, intended - unintended);
      expect(own.score.ci95![0]).toBeLessThanOrEqual(own.score.ci95![1]);
    });
  });

  it.each(['TopK', 'planted'] as const)('lose a bias as token by token: %s', async (label) => {
    const [, , biased] = await probes();
    const { spuriousRemoval: found } = biased!.saes.find(({ sae }) => sae === label)!;
    const { direction, before, clean, top } = expected.removal[label];
    expect(found!.direction).toBe(direction);
    expect(found!.biased).toBe('cooking & past / music & present');
    near(found!.before, before);
    near(found!.clean, clean);
    top.forEach(({ latents, after, score }, at) => {
      expect(found!.top[at]!.latents).toBe(latents);
      near(found!.top[at]!.after, after);
      near(found!.top[at]!.score.mean, score);
    });
  });

  it('find planted latents', async () => {
    const [topic, tense] = await probes();
    const of = (one: ProbeResult): ProbeResult['saes'][number] =>
      one.saes.find(({ sae }) => sae === 'planted')!;
    const firsts = of(topic!).sparseProbing!.labels.map(({ latents }) => latents[0]);
    expect(firsts).toEqual([0, 1, 2]);
    const { labels, latents } = of(tense!).sparseProbing!;
    expect(labels.map((one) => one.latents[0])).toEqual([5, 5]);
    expect(latents.top[0]!.accuracy.mean).toBeGreaterThan(0.75);
    expect(of(tense!).targetedPerturbation).toBeNull();
  });

  it('stand in the report in both languages', async () => {
    const result = await (made ??= run(request));
    for (const [lang, texts] of [
      ['en', ['Targeted perturbation', 'Spurious correlation']],
      ['zh', ['定向扰动', '虚假相关']],
    ] as const) {
      const report = await renderReport(result, { format: 'md', lang });
      for (const text of texts) expect(report).toContain(text);
    }
  });

  it('need a second label with two values for a removal', async () => {
    const probing = (probe: NonNullable<EvaluationRequest['probes']>[number]) =>
      run({ ...request, probes: [probe] });
    await expect(probing({ path: topics, tasks: ['spuriousRemoval'] })).rejects.toMatchObject({
      fields: [{ path: 'probes[0].spuriousField' }],
    });
    await expect(probing({ path: topics, spuriousField: 'tense' })).rejects.toThrow(
      'expected two values in each',
    );
  });
});

/** Means in eight dimensions, with one latent for each, of documents with noise of a fixed seed. */
function meansOf(documents: readonly (readonly number[])[]): DocumentMeans {
  let state = 1;
  const noise = (): number => ((state = (state * 48271) % 2147483647) / 2147483647) * 0.2;
  const values = Float64Array.from(
    documents.flatMap((own) => Array.from({ length: 8 }, (_, axis) => (own[axis] ?? 0) + noise())),
  );
  const rows = (): DocumentMeans['latents'] => {
    const builder = new SparseBuilder(8);
    builder.add(values);
    return builder.rows();
  };
  return { latents: rows(), written: rows(), activations: rows(), isFinite: true };
}

describe('planted concepts', () => {
  const axes = async (): Promise<Dictionary> =>
    (await loadSAE(golden('probes/axes.safetensors'), { kind: 'Vanilla' })) as Dictionary;
  const folds = 5;
  const turn = turnOf(undefined);

  it('are perturbed one by one', async () => {
    const sae = await axes();
    const labels = Array.from({ length: 90 }, (_, i) => i % 3);
    const rows = rowsByLabel(labels, 3);
    // Each label has a dimension, and so a latent, of its own.
    const means = meansOf(labels.map((label) => [0, 1, 2].map((at) => (at === label ? 5 : 0))));
    const { clean, top } = await targetedPerturbation(
      means,
      { sae, device: 'cpu', turn },
      {
        tasks: [0, 1, 2].map((label) => taskOf(rows, label)),
        foldOf: foldsOf(labels, 3, folds),
        folds,
        seed: 1,
      },
    );
    sae.dispose();
    expect(clean).toBe(1);
    // Without its latent no document has the label: those that have it are told wrong.
    expect(top[0]).toMatchObject({ latents: 2, intended: 0.5, unintended: 0 });
    expect(top[0]!.score.mean).toBe(0.5);
    expect(top[0]!.score.ci95![0]).toBeGreaterThan(0.35);
  });

  it('that go along with others by chance are told apart', async () => {
    const sae = await axes();
    const labels = Array.from({ length: 80 }, (_, i) => i % 2);
    const spurious = labels.map((_, i) => Math.floor(i / 2) % 2);
    // The second label is written three times as large as the first.
    const means = meansOf(
      labels.map((label, i) => [label, 1 - label, 3 * spurious[i]!, 3 * (1 - spurious[i]!)]),
    );
    const found = await spuriousRemoval(
      means,
      { sae, device: 'cpu', turn },
      { labels, spurious, names: ['a', 'b'], spuriousNames: ['x', 'y'], folds, seed: 1 },
    );
    sae.dispose();
    expect(found).toMatchObject({ biased: 'a & x / b & y', direction: 'label', clean: 1 });
    expect(found.before).toBe(0.5);
    // With both latents of the second label at zero nothing but the first is left.
    expect(found.top[0]!.latents).toBe(2);
    expect(found.top[0]!.after).toBeGreaterThan(0.95);
    expect(found.top[0]!.score.mean).toBeGreaterThan(0.9);
  });
});
