/**
 * `sums.safetensors`: the values of the report come from it with a few lines of arithmetic, here
 * and in Python.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationResult } from '#src/schema/index.js';
import { shipped, tensorsOf } from '../../golden/load.js';

let folder: string;
let path: string;
let result: EvaluationResult;
const sums = new Map<string, Float64Array>();
let header: ReadonlyMap<string, unknown>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-sums-'));
  path = join(folder, 'sums.safetensors');
  result = await run(
    {
      model: shipped('tiny-llama'),
      dataset: { path: shipped('eval'), seqLen: 16, maxSamples: 20 },
      saes: [
        { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 },
        { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16, label: 'of/all layers' },
      ],
      inferK: [8],
      batchSize: 8,
    },
    { sums: path, id: 'the run' },
  );
  writeFileSync(join(folder, 'report.json'), JSON.stringify(result));
  header = (await readCheckpoint(path)).values;
  for (const [name, tensor] of await tensorsOf(path)) {
    sums.set(name, tensor.toTypedArray() as Float64Array);
    tensor.dispose();
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const total = (name: string): number => sums.get(name)!.reduce((sum, value) => sum + value, 0);

describe('sums.safetensors', () => {
  it('has a row for each sequence, and says what each tensor is', () => {
    expect(header.get('id')).toBe('the run');
    const tensors = JSON.parse(header.get('tensors') as string) as {
      name: string;
      meaning: string;
      sae?: string;
      inferK?: number;
      splicedAt?: number;
    }[];
    expect(tensors.map(({ name }) => name).sort()).toEqual([...sums.keys()].sort());
    for (const { name, meaning } of tensors) {
      expect(meaning, name).not.toBe('');
      if (meaning.startsWith('over the run') || name === 'batches') continue;
      expect(sums.get(name), name).toHaveLength(20);
    }
    expect(tensors.find(({ name }) => name === 'of/all layers@inferK=8/strict/3/kl')).toMatchObject(
      { sae: 'of/all layers', inferK: 8, layer: 7, splicedAt: 7 },
    );
    expect([...sums.get('batches')!]).toEqual([8, 8, 4]);
    expect(total('length')).toBe(result.data.realTokens);
  });

  it('gives the means of the report', () => {
    const [topk, mlsae] = result.results;
    const near = (found: number, expected: number): void =>
      expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-12 * Math.abs(expected));
    const tokens = total('tokens');
    near(total('TopK/strict/0/kl') / tokens, topk!.strict!.KLDivPerToken!.mean);
    near(total('TopK/strict/0/nmse') / tokens, topk!.strict!.NormMSE!.mean);
    near(total('TopK@inferK=8/strict/0/nmse') / tokens, topk!.sweep![0]!.strict!.NormMSE!.mean);
    const layers = mlsae!.perLayer!.length;
    const ofLayers = Array.from({ length: layers }, (_, slot) =>
      total(`of/all layers/strict/${slot}/nmse`),
    );
    near(
      ofLayers.reduce((sum, value) => sum + value, 0) / (layers * tokens),
      mlsae!.strict!.NormMSE!.mean,
    );
    const dead = sums.get('TopK/strict/firing')!.filter((count) => count === 0).length;
    near(dead / sums.get('TopK/strict/firing')!.length, topk!.strict!.DeadLatents!.mean);
  });

  const python = [process.env['SAE_EVAL_PYTHON'], 'python3'].find(
    (each): each is string =>
      each !== undefined &&
      spawnSync(each, ['-c', 'import numpy, safetensors'], { stdio: 'ignore' }).status === 0,
  );
  it.skipIf(python === undefined)('gives them in Python too (numpy and safetensors)', () => {
    const [kl, nmse] = JSON.parse(
      execFileSync(python!, [
        '-c',
        'import json, sys\n' +
          'from safetensors.numpy import load_file\n' +
          's = load_file(sys.argv[1])\n' +
          'n = s["tokens"].sum()\n' +
          'print(json.dumps([s[f"TopK/strict/0/{c}"].sum() / n for c in ("kl", "nmse")]))',
        path,
      ]).toString(),
    ) as [number, number];
    const { strict } = result.results[0]!;
    expect(Math.abs(kl / strict!.KLDivPerToken!.mean - 1)).toBeLessThan(1e-12);
    expect(Math.abs(nmse / strict!.NormMSE!.mean - 1)).toBeLessThan(1e-12);
  });
});
