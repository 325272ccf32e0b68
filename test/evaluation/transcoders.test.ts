/**
 * Transcoders and SAEs of several layers in published layouts, against PyTorch and transformers
 * (test/golden/transcoders/make.py).
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '#src/evaluation/run/run.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import type {
  Estimate,
  EvaluationRequest,
  EvaluationResult,
  SaeResult,
} from '#src/schema/index.js';
import { describeCheckpoint } from '#src/inspect/describe-checkpoint.js';
import { renderDescription } from '#src/inspect/render.js';
import { renderReport } from '#src/report/index.js';
import { applySAE, convertCheckpoint, loadSAE } from '#src/sae/index.js';
import { memory, scope, setInferenceMode, tensor } from '#src/torch/index.js';
import { golden } from '../golden/load.js';

type Values = Record<string, number>;
interface Expected {
  T: number;
  saes: Record<
    string,
    {
      model: string;
      request: object;
      excludes: boolean;
      strict: Values;
      perLayer?: Values[];
      replacement?: Values;
      vectors: { h: number[][]; latents: number[][]; prediction: number[][] };
    }
  >;
}

const folder = golden('transcoders');
const expected = JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')) as Expected;
const names = Object.keys(expected.saes);
const models = [...new Set(names.map((name) => expected.saes[name]!.model))];

// Against float64. float32 through few blocks: observed below 3e-6 of every value, differences of
// two cross-entropies (6 nats each) by 1e-6 nats, cosines of random vectors by 5e-8.
const tolerance = 1e-5;
const crossEntropyError = 5e-6;

function allowed(field: string, values: Values): number {
  const relative = tolerance * Math.abs(values[field]!);
  if (field === 'DeltaCE') return Math.max(relative, crossEntropyError);
  if (field === 'Recovered') return relative + crossEntropyError * values['_sensitivity']!;
  return field === 'CosineSimilarity' ? Math.max(relative, 1e-6) : relative;
}

function compare(actual: Record<string, unknown>, wanted: Values, where: string): void {
  for (const [field, value] of Object.entries(wanted)) {
    if (field.startsWith('_')) continue;
    const { mean } = actual[field] as Estimate;
    expect(Math.abs(mean - value), `${where} ${field}: ${mean} for ${value}`).toBeLessThanOrEqual(
      allowed(field, wanted),
    );
  }
}

describe('transcoders in published layouts', () => {
  const results = new Map<string, SaeResult>();
  const runs: EvaluationResult[] = [];
  let temporary: string;

  beforeAll(async () => {
    temporary = mkdtempSync(join(tmpdir(), 'sae-eval-'));
    const before = memory().handles;
    for (const name of models) {
      const model = join(temporary, name);
      mkdirSync(model);
      for (const from of [`models/${name}`, 'models-tokenizers/words'])
        for (const file of readdirSync(golden(from)))
          symlinkSync(golden(`${from}/${file}`), join(model, file));
      const own = names.filter((one) => expected.saes[one]!.model === name);
      const result = await run({
        model,
        dataset: {
          path: `${folder}/tokens.jsonl`,
          tokensField: 'ids',
          chunking: 'document',
          seqLen: expected.T,
        },
        saes: own.map((one) => ({
          checkpoint: `${folder}/${one}`,
          label: one,
          ...(expected.saes[one]!.excludes ? { exclude: [2] } : {}),
          ...expected.saes[one]!.request,
        })),
      });
      runs.push(result);
      result.results.forEach((sae, index) => results.set(own[index]!, sae));
    }
    expect(memory().handles).toBe(before);
  }, 60_000);
  afterAll(() => rmSync(temporary, { recursive: true }));

  it.each(names)('%s', (name) => {
    const { strict, perLayer, replacement } = expected.saes[name]!;
    const result = results.get(name)!;
    expect(result.error).toBeNull();
    compare(result.strict!, strict, name);
    // The reference protocol has no transcoders.
    expect(new Set(Object.values(result.reference!))).toEqual(new Set([null]));
    expect(perLayer?.map((_, l) => result.perLayer![l]!.reference)).toEqual(
      perLayer?.map(() => null),
    );
    expect(result.perLayer?.length).toBe(perLayer?.length);
    perLayer?.forEach((values, l) =>
      compare(result.perLayer![l]!.strict!, values, `${name}, layer ${l}`),
    );
    if (replacement === undefined) expect(result.replacement).toBeUndefined();
    else compare(result.replacement!, replacement, `${name}, replacement`);
  });

  it('take the orientation of an affine connection that the data tell, and say so', () => {
    const notes = (name: string): string =>
      results
        .get(name)!
        .notes.map(({ en }) => en)
        .join();
    expect(notes('fitted/transcoder_all/layer_2_width_24_l0_small_affine')).toContain(
      'Sources disagree',
    );
    expect(notes('transcoder_all/layer_4_width_48_l0_small_affine')).not.toContain('disagree');
  });

  it('decide the orientation once in each run: kept by its journal, not by the SAE', async () => {
    const request: EvaluationRequest = {
      model: join(temporary, 'gemma3_text'),
      dataset: {
        path: `${folder}/tokens.jsonl`,
        tokensField: 'ids',
        chunking: 'document',
        seqLen: expected.T,
        maxSamples: 4,
      },
      saes: [{ checkpoint: `${folder}/fitted/transcoder_all/layer_2_width_24_l0_small_affine` }],
      batchSize: 2,
    };
    const isTurned = ({ results: [sae] }: EvaluationResult): boolean =>
      sae!.notes.some(({ en }) => en.includes('Sources disagree'));
    const cache = new WeightCache({ limitBytes: 1e9 });
    const whole = await run(request, { cache });
    const again = await run(request, { cache });
    const [journal, stop] = [join(temporary, 'journal'), new AbortController()];
    const part = await run(request, { journal, stop: stop.signal, onBatch: () => stop.abort() });
    expect(part.stopped).toBe(true);
    const continued = await run(request, { journal });
    for (const one of [whole, again, continued]) {
      expect(isTurned(one)).toBe(true);
      expect(one.results[0]!.strict).toEqual(whole.results[0]!.strict);
    }
    cache.clear();
  });

  it.each([
    'circuit-tracer/layer_3.safetensors',
    'transcoder_all/layer_4_width_48_l0_small_affine',
  ])('%s as SAELens writes it', async (name) => {
    const out = join(temporary, 'saelens', name);
    await convertCheckpoint(`${folder}/${name}`, out, { to: 'saelens' });
    const [before, after] = [await loadSAE(`${folder}/${name}`), await loadSAE(out)];
    expect(after).toMatchObject({ format: 'saelens', form: 'transcoder', kind: before.kind });
    scope(() => {
      const h = tensor(expected.saes[name]!.vectors.h);
      const [own, written] = [before, after].map((sae) => applySAE(sae, h));
      expect(own!.reconstruction.sub(written!.reconstruction).abs().max().item()).toBeLessThan(
        1e-5,
      );
      return null;
    });
    for (const sae of [before, after]) sae.dispose();
  });

  it('without a place in the target are refused by name', async () => {
    const refused = (name: string): Promise<unknown> =>
      convertCheckpoint(`${folder}/${name}`, join(temporary, 'no'), { to: 'saelens' });
    await expect(refused('clt')).rejects.toThrow('no SAEs of several layers');
    await expect(refused('dictionary_learning')).rejects.toThrow('subtract nothing');
    await expect(refused('sparsify/layers.2.mlp')).rejects.toThrow('not with topk');
  });

  it('are told by inspect with both places', async () => {
    const { published, choices } = await describeCheckpoint(`${folder}/saelens-jumprelu`);
    expect(published).toMatchObject({
      hookPoints: ['model.layers.3.pre_feedforward_layernorm.output'],
      hookPointsOut: ['model.layers.3.post_feedforward_layernorm.output'],
    });
    expect(choices[0]!.fields).toContainEqual(
      expect.objectContaining({ field: 'hookOut', state: 'known' }),
    );
    const layers = await describeCheckpoint(`${folder}/clt`);
    expect(layers).toMatchObject({ candidates: ['Crosscoder'], obstacle: null, m: 40 });
    expect(renderDescription(layers)).toContain('predicts: blocks.0.hook_mlp_out');
  });

  it('are named with both places in findings, summary and report', async () => {
    const [llama] = runs;
    const found = llama!.findings.filter(({ code }) => code === 'transcoder-sites');
    expect(found.map(({ sae }) => sae)).toContain('saelens');
    expect(found[0]!.message.en).toContain('ln2_out → mlp_out');
    expect(llama!.summary!.statements.map(({ code }) => code)).toContain('replacement-model');
    const report = await renderReport(llama!, { format: 'md' });
    expect(report).toMatch(/ln2\\?_out → mlp\\?_out/);
    expect(report).toContain('All layers replaced together');
  });

  it.each(names)('%s: latents and predictions of vectors', async (name) => {
    setInferenceMode(true);
    const { vectors, request } = expected.saes[name]!;
    const { kind, hookOut } = request as { kind?: 'Vanilla'; hookOut?: string };
    const sae = await loadSAE(`${folder}/${name}`, {
      ...(kind === undefined ? {} : { kind, preBias: false, normalization: 'none' }),
      ...(hookOut === undefined ? {} : { hookOut }),
    });
    scope(() => {
      const { latents, reconstruction } = applySAE(sae, tensor(vectors.h));
      for (const [actual, wanted] of [
        [latents, vectors.latents],
        [reconstruction, vectors.prediction],
      ] as const) {
        const right = tensor(wanted, { dtype: 'float64' });
        const error = actual.to({ dtype: 'float64' }).sub(right).abs();
        const scale = right.abs().max().item<number>();
        expect(error.max().item<number>()).toBeLessThan(tolerance * scale);
      }
      return null;
    });
    sae.dispose();
  });
});
