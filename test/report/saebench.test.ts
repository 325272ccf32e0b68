/**
 * `report --format saebench`: documents with every field that SAEBench's core layout requires
 * (fixtures/saebench-core.json, from its published schema), and SAEBench's own check where its
 * package is installed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { report } from '#src/cli/commands/report.js';
import { run } from '#src/evaluation/run/run.js';
import { saebenchDocuments } from '#src/report/saebench.js';
import type { EvaluationResult } from '#src/schema/index.js';
import { golden, shipped } from '../golden/load.js';

const layout = JSON.parse(
  readFileSync(new URL('fixtures/saebench-core.json', import.meta.url), 'utf8'),
) as {
  required: string[];
  metrics: Record<string, string[]>;
  config: Record<string, 'string' | 'number' | 'boolean'>;
};

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-saebench-'));
afterAll(() => rmSync(folder, { recursive: true }));

let result: EvaluationResult;
beforeAll(async () => {
  result = await run({
    model: golden('peers/gpt2'),
    dataset: {
      path: golden('peers/tokens.jsonl'),
      tokensField: 'ids',
      chunking: 'document',
      seqLen: 16,
    },
    saes: [
      { checkpoint: golden('peers/saes/topk'), label: 'a/b' },
      { checkpoint: golden('peers/saes/gated'), label: 'a b' },
    ],
    protocol: ['saebench'],
    batchSize: 6,
    excludeSpecialsFromReconstruction: true,
    device: 'cpu',
  });
});

it('a document has every required field, with finite numbers', () => {
  const documents = saebenchDocuments(result);
  expect(documents.map(({ label }) => label)).toEqual(['a/b', 'a b']);
  for (const [index, { output }] of documents.entries()) {
    expect(Object.keys(output)).toEqual(expect.arrayContaining(layout.required));
    const metrics = output['eval_result_metrics'] as Record<string, Record<string, number>>;
    expect(Object.keys(metrics).sort()).toEqual(Object.keys(layout.metrics).sort());
    for (const [category, fields] of Object.entries(layout.metrics)) {
      expect(Object.keys(metrics[category]!).sort()).toEqual([...fields].sort());
      for (const value of Object.values(metrics[category]!))
        expect(value).toSatisfy(Number.isFinite);
    }
    const values = result.results[index]!['saebench@0.6']!;
    expect(metrics['sparsity']).toEqual({ l0: values.l0, l1: values.l1 });
    expect(metrics['token_stats']).toEqual({
      total_tokens_eval_reconstruction: 22 * 16,
      total_tokens_eval_sparsity_variance: 22 * 16,
    });
    const config = output['eval_config'] as Record<string, unknown>;
    for (const [field, type] of Object.entries(layout.config))
      expect(typeof config[field], field).toBe(type);
    expect(config).toMatchObject({
      batch_size_prompts: 6,
      n_eval_reconstruction_batches: 4,
      context_size: 16,
      exclude_special_tokens_from_reconstruction: true,
    });
    expect(output).toMatchObject({ eval_type_id: 'core', eval_id: result.id });
    expect(output['datetime_epoch_millis']).toBeGreaterThan(1.7e12);
  }
});

it('several SAEs are several files, and one is one', async () => {
  const stored = join(folder, 'report.json');
  writeFileSync(stored, JSON.stringify(result));
  const out = join(folder, 'out');
  await report([stored], { format: 'saebench', out });
  expect(readdirSync(out).sort()).toEqual(['a_b_2_eval_results.json', 'a_b_eval_results.json']);
  writeFileSync(stored, JSON.stringify({ ...result, results: result.results.slice(1) }));
  const one = join(folder, 'one.json');
  await report([stored], { format: 'saebench', out: one });
  expect(JSON.parse(readFileSync(one, 'utf8'))).toMatchObject({ sae_lens_id: 'a b' });
});

it('a run without such numbers is refused', async () => {
  const other = await run({
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), seqLen: 8, maxSamples: 2 },
    saes: [{ kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k: 4 }],
    protocol: ['saebench'],
    device: 'cpu',
  });
  expect(() => saebenchDocuments(other)).toThrow('expected a result with numbers of saebench@0.6');
});

const check = `
import sys
from pydantic import TypeAdapter
from sae_bench.evals.core.eval_output import CoreEvalOutput
TypeAdapter(CoreEvalOutput).validate_json(open(sys.argv[1]).read())
`;
function hasSaebench(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sae_bench.evals.core.eval_output'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

it.skipIf(!hasSaebench())("SAEBench's own model takes it (Python's package sae-bench)", () => {
  const path = join(folder, 'checked.json');
  writeFileSync(path, JSON.stringify(saebenchDocuments(result)[0]!.output));
  execFileSync('python3', ['-c', check, path]);
});
