/**
 * Probes of a run, against transformers' hidden states and scikit-learn's regressions on the same
 * folds (test/golden/probes/make.py): within half a point, as no score lies near 0.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { planRun } from '#src/evaluation/shards/make-plan.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { checkInputs } from '#src/evaluation/run/inputs.js';
import { run } from '#src/evaluation/run/run.js';
import { renderReport } from '#src/report/index.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { golden, shipped } from '../../golden/load.js';

type Expected = Record<'latents' | 'activations', Record<string, Record<string, number>>>;
const { run: expected } = JSON.parse(readFileSync(golden('probes/expected.json'), 'utf8')) as {
  run: Record<'label' | 'tense', Expected>;
};
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-probes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const topics = shipped('labelled/topics.jsonl');
const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), maxSamples: 2, seqLen: 16 },
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 10, k: 16 },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
  ],
  probes: [
    { path: topics, name: 'topics', seqLen: 64 },
    { path: topics, labelField: 'tense', seqLen: 64 },
  ],
  protocol: ['strict'],
  metrics: ['NormMSE'],
  device: 'cpu',
};
let made: Promise<EvaluationResult> | null = null;
const result = (): Promise<EvaluationResult> => (made ??= run(request));

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('probes of a run', () => {
  it.each(['label', 'tense'] as const)(
    'tell %s as often as those of scikit-learn',
    async (field) => {
      const { probes } = await result();
      const found = probes![field === 'label' ? 0 : 1]!;
      expect(found.saes.map(({ sae }) => sae)).toEqual(['TopK']);
      const { sparseProbing, error } = found.saes[0]!;
      expect(error).toBeNull();
      for (const side of ['latents', 'activations'] as const) {
        const { top, all } = sparseProbing![side];
        const entries = [...top.map(({ k, accuracy }) => [String(k), accuracy] as const)];
        expect(entries.map(([k]) => k)).toEqual(['1', '2', '5']);
        for (const [k, accuracy] of [...entries, ['None', all] as const]) {
          const wanted = mean(Object.values(expected[field][side][k]!));
          expect(Math.abs(accuracy.mean - wanted), `${side} ${k}`).toBeLessThan(0.005);
          expect(accuracy.folds).toHaveLength(5);
          const [low, high] = accuracy.ci95!;
          expect(low).toBeLessThan(accuracy.mean + 1e-9);
          expect(high).toBeGreaterThan(accuracy.mean - 1e-9);
          expect(high - low).toBeGreaterThan(0.05);
        }
      }
      for (const { label, accuracy, latents } of sparseProbing!.labels) {
        expect(new Set(latents).size).toBe(5);
        for (const { k, mean: own } of accuracy)
          expect(Math.abs(own - expected[field].latents[String(k)]![label]!)).toBeLessThan(0.005);
      }
    },
  );

  it('stand in the report in both languages', async () => {
    const found = await result();
    expect(found.probes![0]!.labels).toEqual([
      { label: 'cooking', documents: 12 },
      { label: 'music', documents: 12 },
      { label: 'weather', documents: 12 },
    ]);
    const english = await renderReport(found, { format: 'md', lang: 'en' });
    expect(english).toContain('## Concepts');
    expect(english).toContain('topics');
    expect(await renderReport(found, { format: 'md', lang: 'zh' })).toContain('## 概念');
  });

  it('are the same in another run', async () => {
    const { probes } = await run({ ...request, probes: request.probes!.slice(0, 1) });
    expect(probes![0]).toEqual((await result()).probes![0]);
  });
});

describe('labelled data sets', () => {
  const file = (name: string, records: readonly unknown[]): string => {
    const path = join(folder, name);
    writeFileSync(path, records.map((record) => JSON.stringify(record)).join('\n'));
    return path;
  };
  const texts = (label: unknown, count: number): object[] =>
    Array.from({ length: count }, (_, i) => ({ text: `a text of number ${i}`, label }));
  const probing = (probe: NonNullable<EvaluationRequest['probes']>[number]) =>
    run({ ...request, saes: request.saes.slice(0, 1), probes: [probe] });

  it('may have numbers and booleans as labels, and records that are no use', async () => {
    const path = file('mixed.jsonl', [
      ...texts(true, 6),
      ...texts(false, 9),
      { text: 'no label' },
      { text: '  ', label: true },
      { text: 7, label: true },
      { label: true },
      ['a list'],
    ]);
    const { probes } = await probing({ path, maxPerLabel: 7 });
    expect(probes![0]).toMatchObject({
      skippedRecords: 5,
      labels: [
        { label: 'false', documents: 7 },
        { label: 'true', documents: 6 },
      ],
    });
  });

  it.each([
    [[...texts('a', 20)], {}, 'at least two labels'],
    [[...texts('a', 20), ...texts('b', 4)], {}, 'at least 5 documents of each label'],
    [[...texts('a', 20), ...texts('b', 20)], { labelField: 'lable' }, 'did you mean label'],
    [
      Array.from({ length: 300 }, (_, i) => ({ text: 'a text', label: i })),
      {},
      'more than 100 different values',
    ],
  ])('that are of no use are refused', async (records, fields, message) => {
    const path = file('bad.jsonl', records);
    await expect(probing({ path, ...fields })).rejects.toThrow(message);
  });

  it('that are not there, or longer than the model, are faults of the request', async () => {
    await expect(probing({ path: join(folder, 'none.jsonl') })).rejects.toMatchObject({
      code: 'file-not-found',
      fields: [{ path: 'probes[0].path' }],
    });
    await expect(probing({ path: topics, seqLen: 100_000 })).rejects.toMatchObject({
      fields: [{ path: 'probes[0].seqLen' }],
    });
  });

  it('are refused in shards, by the name of the field', async () => {
    const inputs = await checkInputs(request);
    const store = new FolderStore(join(folder, 'shards'));
    await expect(planRun(inputs, store)).rejects.toMatchObject({
      code: 'request-invalid',
      fields: [{ path: 'probes' }],
    });
  });
});
