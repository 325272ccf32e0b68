/**
 * `strict` on a small GPT-2 with biases against PyTorch (fixtures/make_gpt2_strict.py). A Llama's
 * zeroed residual stream gives uniform logits, which would hide mistakes in zero ablation.
 */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Assembly } from '#src/evaluation/result/assemble.js';
import { Engine } from '#src/evaluation/engine/engine.js';
import { routedRange } from '#src/evaluation/request/routed-range.js';
import { strategyFor } from '#src/evaluation/engine/strategies/index.js';
import type { Strategy, Variant } from '#src/evaluation/engine/strategies/strategy.js';
import type { Estimate } from '#src/schema/index.js';
import { loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import { registry, type SAE } from '#src/sae/index.js';
import { setInferenceMode } from '#src/torch/index.js';
import { golden, root, tensorsOf } from '../golden/load.js';

interface Numbers {
  L: number;
  k: number;
  ids: number[][];
  lengths: number[];
  results: Record<string, Record<string, number>>;
}

const fixtures = `${root}test/evaluation/fixtures/`;
const metrics = ['NormMSE', 'KLDiv', 'DeltaCE', 'Recovered'] as const;

// With 3 blocks the routed layers begin at layer 0, the embedding.
describe.each([4, 3])(
  'strict on a small GPT-2 with biases, %i blocks, against PyTorch',
  (blocks) => {
    const numbers = JSON.parse(
      readFileSync(`${fixtures}gpt2-strict-${blocks}.json`, 'utf8'),
    ) as Numbers;
    let folder: string;
    const { L, k } = numbers;
    const { layers } = routedRange(L);
    let model: LanguageModel;
    let assembly: Assembly;
    const saes: SAE[] = [];
    const subjects: { owner: string; width: number; slots: Strategy['slots'] }[] = [];

    beforeAll(async () => {
      setInferenceMode(true);
      folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
      const config = JSON.parse(readFileSync(golden('models/gpt2/config.json'), 'utf8')) as object;
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, n_layer: blocks }));
      symlinkSync(golden('models/gpt2/model.safetensors'), join(folder, 'model.safetensors'));
      model = await loadLanguageModel(folder);
      const file = `${fixtures}gpt2-sae-${blocks}.safetensors`;
      const make = async (kind: 'TopK' | 'MLSAE' | 'RouteSAE'): Promise<SAE> => {
        const tensors = await tensorsOf(file);
        if (kind !== 'RouteSAE') tensors.delete('router.weight');
        const named = new Map(
          [...tensors].map(([name, tensor]) => [
            kind === 'RouteSAE' && name !== 'router.weight' ? `sae.${name}` : name,
            tensor,
          ]),
        );
        const { sizesFrom } = registry[kind];
        const [m, d] = named.get(sizesFrom)!.shape as [number, number];
        return registry[kind].create(named, { d, m, R: layers.length }, { k });
      };
      const all: [string, SAE, number | null, 'hard' | 'soft'][] = [
        ['TopK', await make('TopK'), L, 'hard'],
        ['TopK1', await make('TopK'), 1, 'hard'],
        ['MLSAE', await make('MLSAE'), null, 'hard'],
        ['RouteSAE', await make('RouteSAE'), null, 'hard'],
        ['RouteSAE soft', await make('RouteSAE'), null, 'soft'],
      ];
      const wanted = { protocols: new Set(['strict'] as const), splice: true, zero: true };
      const strategies = all.map(([owner, sae, layer, routing]) => {
        saes.push(sae);
        const variants: Variant[] = [{ owner, sparsity: null }];
        const strategy = strategyFor(sae, {
          layer,
          layers: layer === null ? layers : [layer],
          routing,
          L,
          variants,
          wanted,
          saeDtype: 'float32',
        });
        subjects.push({ owner, width: model.width, slots: strategy.slots });
        return strategy;
      });
      const engine = new Engine({
        model,
        strategies,
        wanted,
        saeDtype: 'float32',
        microBatch: { sequences: 5, lanesPerCall: 3, logits: 3300 },
      });
      const samples = numbers.ids.map((ids, i) => ({
        ids: Int32Array.from(ids),
        length: numbers.lengths[i]!,
        truncated: 0,
      }));
      const sums = await engine.batch(samples, { first: 0 });
      assembly = new Assembly(sums, metrics, { seed: 42, intervals: false, subjects });
      engine.dispose();
    });
    afterAll(() => {
      for (const sae of saes) sae.dispose();
      model.dispose();
      rmSync(folder, { recursive: true });
    });

    it.each(Object.keys(numbers.results))('%s', (owner) => {
      const strict = assembly.strict(subjects.find((one) => one.owner === owner)!);
      for (const [field, expected] of Object.entries(numbers.results[owner]!)) {
        if (field === 'ceZero') continue;
        const found = (strict[field as keyof typeof strict] as Estimate).mean;
        // Random weights make Recovered a ratio of two small differences: its error is theirs,
        // 1e-6, over the smaller one.
        const tolerance =
          field === 'Recovered'
            ? 1e-3 * Math.max(1, Math.abs(expected))
            : 1e-3 * Math.abs(expected) + 1e-6;
        expect(
          Math.abs(found - expected),
          `${field}: found ${found}, expected ${expected}`,
        ).toBeLessThan(tolerance);
      }
    });
  },
);
