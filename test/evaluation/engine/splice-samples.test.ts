/**
 * Samples beyond `spliceSamples` are measured and not spliced: every column that needs no splice is
 * as if all were spliced, the others end at the border, wherever a batch or a shard begins.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine, type EngineOptions } from '#src/evaluation/engine/engine.js';
import { strategyFor } from '#src/evaluation/engine/strategies/index.js';
import { everyPosition } from '#src/evaluation/positions.js';
import { loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import { loadSAE } from '#src/sae/index.js';
import { memory, setInferenceMode } from '#src/torch/index.js';
import { shipped } from '../../golden/load.js';
import { cases, someWants, variants, wants } from './strategy-cases.js';

const T = 8;
const samples = [3, 40, 77, 114].map((first) => ({
  ids: Int32Array.from({ length: T }, (_, i) => first + 7 * i),
  length: T - (first % 4),
  truncated: 0,
}));

let model: LanguageModel;
/** Blocks of the clean pass and of lanes that ran, by their index. */
const blocks: number[] = [];
beforeAll(async () => {
  setInferenceMode(true);
  model = await loadLanguageModel(shipped('tiny-llama'));
  const block = model.block.bind(model);
  model.block = (index, ...rest) => {
    blocks.push(index);
    return block(index, ...rest);
  };
  // Tensors that the model makes once.
  const [, file, given, place] = cases[0]!;
  const sae = await loadSAE(shipped(file), given);
  const run = { variants, wanted: wants[0]![1], saeDtype: 'float32' as const };
  const strategies = [strategyFor(sae, { ...place, L: model.layers, ...run })];
  const microBatch = { sequences: 1, lanesPerCall: 3, logits: 100_000 };
  const engine = new Engine({ model, strategies, ...run, microBatch });
  await engine.batch(samples.slice(0, 1), { first: 0 });
  engine.dispose();
  sae.dispose();
});
afterAll(() => model.dispose());

const isOfSplices = (column: string): boolean =>
  /\|(kl|ceSpliced|ceZero|agreeing)$|\|ceClean(\||$)/.test(column);

describe.each(cases)('%s', (_, file, given, place) => {
  it.each(someWants)('wanting %s', async (_, wanted, positions = everyPosition) => {
    const before = memory().handles;
    const sae = await loadSAE(shipped(file), given);
    const run = { variants, wanted, positions, saeDtype: 'float32' as const };
    const strategy = strategyFor(sae, { ...place, L: model.layers, ...run });
    const options: EngineOptions = {
      model,
      strategies: [strategy],
      wanted,
      saeDtype: 'float32',
      // one sequence at a time, so that rounding does not depend on where a micro-batch is cut
      microBatch: { sequences: 1, lanesPerCall: 3, logits: 100_000 },
    };
    const sums = async (from: number, to: number, spliceSamples?: number): Promise<Accumulator> => {
      const engine = new Engine({ ...options, spliceSamples });
      try {
        return await engine.batch(samples.slice(from, to), { first: from });
      } finally {
        engine.dispose();
      }
    };
    const whole = await sums(0, 4);
    const parts: Accumulator[] = [];
    for (const [from, to] of [
      [0, 1],
      [1, 3],
      [3, 4],
    ] as const) {
      blocks.length = 0;
      parts.push(await sums(from, to, 2));
    }
    // The last part is beyond the border: nothing above the layers that are measured has run.
    const measured = Math.max(...(strategy.measuredOn ?? strategy.residuals));
    const inside = place.site === undefined ? 0 : 1;
    expect(Math.max(...blocks)).toBe(measured + inside);
    expect(parts[2]!.columnNames.filter(isOfSplices)).toEqual([]);

    const merged = new Accumulator();
    for (const part of parts) merged.merge(part);
    const late = new Accumulator();
    late.merge(parts[1]!);
    late.merge(parts[2]!);
    const nested = new Accumulator();
    nested.merge(parts[0]!);
    nested.merge(late);
    for (const cut of [await sums(0, 4, 2), merged, nested]) {
      expect([...cut.columnNames].sort()).toEqual([...whole.columnNames].sort());
      for (const name of whole.columnNames) {
        const all = whole.column(name)!;
        expect(cut.column(name), name).toEqual(isOfSplices(name) ? all.slice(0, 2) : all);
      }
      const vectors = ({ vectors: all }: ReturnType<Accumulator['state']>): string[] => [
        ...all.keys(),
      ];
      expect(vectors(cut.state())).toEqual(vectors(whole.state()));
      // Sums of float64 whose grouping in batches differs between the parts.
      for (const name of vectors(whole.state())) {
        const [found, wants] = [cut.vector(name)!, whole.vector(name)!];
        const size = Math.max(...wants.map(Math.abs));
        wants.forEach((value, i) =>
          expect(Math.abs(found[i]! - value), name).toBeLessThanOrEqual(1e-13 * size),
        );
      }
    }
    sae.dispose();
    expect(memory().handles).toBe(before);
  });
});
