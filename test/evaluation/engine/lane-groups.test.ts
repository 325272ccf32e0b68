/** Lanes in groups: memory is bounded for any number of SAEs, and the sums stay. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '#src/evaluation/engine/engine.js';
import { laneGroups } from '#src/evaluation/engine/lane-groups.js';
import { strategyFor } from '#src/evaluation/engine/strategies/index.js';
import { everyPosition } from '#src/evaluation/positions.js';
import { loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import type { Accumulator } from '#src/metrics/accumulator.js';
import { loadSAE } from '#src/sae/index.js';
import { setInferenceMode } from '#src/torch/index.js';
import { shipped } from '../../golden/load.js';
import { cases, someWants, variants } from './strategy-cases.js';

/** For each group, the source of a part, whether it measures, and the lanes it takes. */
function layout(lanes: readonly number[], most: number): (string | number)[][] {
  return laneGroups(lanes, most).map((parts) =>
    parts.flatMap(({ source, part }) => [
      `${source}${part.measures ? ' measured' : ''}`,
      ...Array.from({ length: lanes[source]! }, (_, lane) => lane).filter((lane) =>
        part.takes(lane),
      ),
    ]),
  );
}

describe('groups of lanes', () => {
  it('are one group where all fit', () => {
    expect(layout([2, 0, 1], Infinity)).toEqual([
      ['0 measured', 0, 1, '1 measured', '2 measured', 0],
    ]);
  });

  it('divide a source that does not fit, and measure each once', () => {
    expect(layout([2, 3, 0, 1], 2)).toEqual([
      ['0 measured', 0, 1],
      ['1 measured', 0, 1],
      ['1', 2, '2 measured', '3 measured', 0],
    ]);
  });

  it('hold one lane each at the least', () => {
    expect(layout([2, 1], 1)).toEqual([
      ['0 measured', 0],
      ['0', 1],
      ['1 measured', 0],
    ]);
  });
});

describe.each(cases)('%s in groups', (_, file, given, place) => {
  let model: LanguageModel;
  beforeAll(async () => {
    setInferenceMode(true);
    model = await loadLanguageModel(shipped('tiny-llama'));
  });
  afterAll(() => model.dispose());

  it.each(someWants)('wanting %s', async (_, wanted, positions = everyPosition) => {
    const T = 12;
    const sae = await loadSAE(shipped(file), given);
    const run = { variants, wanted, positions, saeDtype: 'float32' as const };
    const strategy = strategyFor(sae, { ...place, L: model.layers, ...run });
    const samples = [3, 40].map((first) => ({
      ids: Int32Array.from({ length: T }, (_, i) => first + 7 * i),
      length: T - (first % 4),
      truncated: 0,
    }));
    const sums = async (lanes: number | undefined): Promise<Accumulator> => {
      const engine = new Engine({
        model,
        strategies: [strategy],
        wanted,
        saeDtype: 'float32',
        microBatch: { sequences: 2, lanesPerCall: 3, logits: 100_000, lanes },
      });
      try {
        return await engine.batch(samples, { first: 0 });
      } finally {
        engine.dispose();
      }
    };
    const whole = await sums(undefined);
    for (const lanes of [1, 4]) {
      const grouped = await sums(lanes);
      expect([...grouped.columnNames].sort()).toEqual([...whole.columnNames].sort());
      for (const name of whole.columnNames) {
        const [found, wants] = [grouped.column(name)!, whole.column(name)!];
        expect(found).toHaveLength(wants.length);
        // Products of fewer rows may round otherwise.
        wants.forEach((value, i) =>
          expect(Math.abs(found[i]! - value), name).toBeLessThanOrEqual(
            1e-4 * Math.max(1e-2, Math.abs(value)),
          ),
        );
      }
    }
    sae.dispose();
  });
});
