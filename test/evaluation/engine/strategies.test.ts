/**
 * Strategies keep to what they declare: the lanes that begin are the lanes that `--explain` prices
 * and memory is sized by, and the SAE runs as often as the plan says.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '#src/evaluation/engine/engine.js';
import { CleanPass } from '#src/evaluation/engine/clean-pass.js';
import type { LaneStart } from '#src/evaluation/engine/lanes.js';
import { Collector } from '#src/evaluation/engine/collector.js';
import { Positions } from '#src/evaluation/engine/positions.js';
import { strategyFor } from '#src/evaluation/engine/strategies/index.js';
import { zeroLanes } from '#src/evaluation/engine/zero-ablation.js';
import { everyPosition } from '#src/evaluation/positions.js';
import { makePlan } from '#src/evaluation/run/plan/plan.js';
import { forwardCost, loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import { readModelConfig } from '#src/lm/config.js';
import { loadSAE, type SAE } from '#src/sae/index.js';
import { fromTypedArray, scope, setInferenceMode, type Tensor } from '#src/torch/index.js';
import { shipped } from '../../golden/load.js';
import { cases, variants, wants } from './strategy-cases.js';

const microBatch = { sequences: 2, lanesPerCall: 3, logits: 100_000 };

/** Counts the rows that go through an SAE, in passes of N rows. */
function counted(sae: SAE, N: number): { encode: number; decode: number } {
  const passes = { encode: 0, decode: 0 };
  const preactivate = sae.preactivate.bind(sae);
  const decode = sae.decode.bind(sae);
  sae.preactivate = (x: Tensor) => {
    passes.encode += x.shape[0]! / N;
    return preactivate(x);
  };
  sae.decode = (z) => {
    passes.decode += z.values.shape[0]! / N;
    return decode(z);
  };
  return passes;
}

describe.each(cases)('%s', (_, file, given, place) => {
  let model: LanguageModel;
  let sae: SAE;
  beforeAll(async () => {
    setInferenceMode(true);
    model = await loadLanguageModel(shipped('tiny-llama'));
  });
  afterAll(() => model.dispose());

  it.each(wants)('wanting %s', async (_, wanted, positions = everyPosition) => {
    const [B, T] = [2, 12];
    sae = await loadSAE(shipped(file), given);
    const passes = counted(sae, B * T);
    const run = { variants, wanted, positions, saeDtype: 'float32' as const };
    const options = { ...place, L: model.layers, ...run };
    const strategy = strategyFor(sae, options);

    const begun = scope(() => {
      const ids = fromTypedArray(new BigInt64Array(B * T).fill(7n), [B, T]);
      const context = model.context([T, T], T);
      const keep = new Set(strategy.residuals);
      const { sites } = strategy;
      const clean = new CleanPass({ model, ids, context, keep, sites, saeDtype: 'float32' });
      for (let i = 1; i <= model.layers; i++) clean.through(i);
      const row = { ids: new Int32Array(T).fill(7), length: T };
      const at = new Positions({ samples: [row, row], T, device: 'cpu' });
      const into = new Collector({ positions: at, setOf: () => positions });
      const stateOf = (start: LaneStart): readonly number[] => {
        if ('state' in start) return start.state.shape;
        if ('place' in start) return clean.withSite(start.place, start.value).shape;
        start.walk.begin(clean.residual(start.walk.from));
        for (let i = start.walk.from + 1; i <= model.layers; i++)
          start.walk.through(i, model, context);
        const end = start.walk.end();
        const { shape } = end;
        end.dispose();
        return shape;
      };
      const starts = strategy.enter(clean, into).map((start) => ({
        shape: stateOf(start),
        editedAt: 'state' in start ? [...(start.edits?.keys() ?? [])] : [],
      }));
      into.dispose();
      at.dispose();
      context.dispose();
      return starts;
    });
    expect(begun).toHaveLength(strategy.lanes.length);
    begun.forEach(({ shape, editedAt }, index) => {
      expect(shape).toEqual([B, T, model.width]);
      for (const layer of editedAt) expect(layer).toBeGreaterThan(strategy.lanes[index]!.start);
    });

    passes.encode = 0;
    passes.decode = 0;
    const engine = new Engine({
      model,
      strategies: [strategy],
      wanted,
      saeDtype: 'float32',
      microBatch,
    });
    const ids = Int32Array.from({ length: T }, (_, i) => 3 + i);
    await engine.batch(
      [
        { ids, length: T, truncated: 0 },
        { ids, length: T, truncated: 0 },
      ],
      { first: 0 },
    );
    engine.dispose();
    const decoded = strategy.passes.decode.reduce((sum, count) => sum + count, 0);
    // A pass in parts, token by token routed to its layer, adds up to whole passes.
    expect(passes.encode).toBeCloseTo(strategy.passes.encode, 9);
    expect(passes.decode).toBeCloseTo(decoded, 9);

    const cost = await forwardCost(await readModelConfig(shipped('tiny-llama')), T);
    const { steps } = makePlan([{ label: 'x', sae, strategy }], { cost, wanted });
    const zeros = zeroLanes([strategy]);
    const lanes = [...strategy.lanes, ...zeros];
    const suffixes = steps.filter(({ pass }) => pass === 'suffix');
    expect(suffixes.map(({ from }) => from)).toEqual(
      [...new Set(lanes.map(({ start }) => start))].sort((a, b) => a - b),
    );
    expect(suffixes.reduce((sum, { count }) => sum + count, 0)).toBe(lanes.length);
    sae.dispose();
  });
});
