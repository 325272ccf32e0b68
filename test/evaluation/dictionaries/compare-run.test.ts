/**
 * The dictionaries of a run, against transformers' hidden states, correlations in float64 and
 * scipy's assignment (test/golden/dictionaries/make.py). The model computes in float32: 1e-4 of 1.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { run } from '#src/evaluation/run/run.js';
import { renderReport } from '#src/report/index.js';
import type {
  DictionaryComparison,
  DictionarySimilarity,
  EvaluationRequest,
} from '#src/schema/index.js';
import { golden, shipped } from '../../golden/load.js';

const { run: expected } = JSON.parse(
  readFileSync(golden('dictionaries/expected.json'), 'utf8'),
) as { run: Record<'decoders' | 'activations', Partial<DictionarySimilarity>> };

const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), maxSamples: 6, seqLen: 32 },
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 6, k: 16 },
    { kind: 'Vanilla', checkpoint: shipped('Vanilla_tiny.pt'), layer: 6 },
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 5, k: 16, label: 'elsewhere' },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
  ],
  protocol: ['strict'],
  metrics: ['NormMSE'],
  device: 'cpu',
  dictionaries: true,
};

function expectNear(found: DictionarySimilarity, wanted: Partial<DictionarySimilarity>): void {
  for (const [field, value] of Object.entries(wanted)) {
    const own = (found as unknown as Record<string, unknown>)[field];
    if (typeof value !== 'number') expect(own, field).toEqual(value);
    else expect(Math.abs((own as number) - value), field).toBeLessThan(1e-4);
  }
}

describe('the dictionaries of a run', () => {
  it('are compared by decoders and activations, of the SAEs that read one place', async () => {
    const result = await run(request);
    const pairs = result.dictionaries as DictionaryComparison[];
    expect(pairs).toHaveLength(1);
    const [pair] = pairs;
    expect(pair).toMatchObject({ a: 'TopK', b: 'Vanilla', notes: [] });
    expectNear(pair!.decoders, expected.decoders);
    expectNear(pair!.activations!, expected.activations);
    for (const [lang, title] of [
      ['en', 'Are dictionaries the same'],
      ['zh', '字典是否相同'],
    ] as const) {
      const text = await renderReport(result, { format: 'md', lang });
      expect(text).toContain(`## ${title}`);
      expect(text).toContain('TopK – Vanilla | 1024 × 1024');
    }
  });

  it('are not there unless they are asked for', async () => {
    const { dictionaries: _, ...without } = request;
    const result = await run({ ...without, saes: request.saes.slice(0, 1) });
    expect(result).not.toHaveProperty('dictionaries');
  });
});
