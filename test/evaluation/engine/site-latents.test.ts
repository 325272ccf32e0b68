/** Latents of a micro-batch of texts of many lengths: those of each text alone, and no padding. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sample } from '#src/data/index.js';
import { eachSiteLatents, type PlacedDictionary } from '#src/evaluation/engine/site-latents.js';
import { everyPosition } from '#src/evaluation/positions.js';
import { loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import { loadSAE, type Dictionary } from '#src/sae/index.js';
import { root, shipped } from '../../golden/load.js';

const seqLen = 24;
const lengths = [3, 24, 9, 1, 17, 5, 12];
const samples = lengths.map((length, n): Sample => {
  const ids = new Int32Array(seqLen);
  for (let t = 0; t < length; t++) ids[t] = (37 * n + 11 * t) % 4000;
  return { ids, length, truncated: 0 };
});

let model: LanguageModel;
let saes: PlacedDictionary[];
beforeAll(async () => {
  model = await loadLanguageModel(shipped('tiny-llama'));
  const placed = [8, { layer: 3, site: 'mlp_out' }] as const;
  saes = [];
  for (const site of placed)
    saes.push({
      sae: (await loadSAE(shipped('Vanilla_tiny.pt'), { kind: 'Vanilla' })) as Dictionary,
      site,
      positions: everyPosition,
      override: null,
    });
});
afterAll(() => {
  for (const { sae } of saes) sae.dispose();
  model.dispose();
});

/** Rows of each SAE at the positions that count, one text after the other. */
async function countedRows(some: readonly Sample[], sequences: number, of = saes) {
  const rows = of.map(() => ({ activations: [] as number[][], latents: [] as number[][] }));
  const extents: number[][] = [];
  await eachSiteLatents(some, { model, saes: of, saeDtype: 'float32', sequences }, (all) => {
    extents.push([...all[0]!.extents]);
    all.forEach(({ activations, latents, counted, scale }, at) => {
      expect(scale.shape).toEqual([counted.shape[0], 1]);
      const flags = counted.toArray() as boolean[];
      const pick = (values: typeof latents): number[][] =>
        (values.toArray() as number[][]).filter((_, row) => flags[row]);
      rows[at]!.activations.push(...pick(activations));
      rows[at]!.latents.push(...pick(latents));
    });
  });
  return { rows, extents };
}

/** The same of every text by itself. */
async function aloneRows(of = saes) {
  const each: Awaited<ReturnType<typeof countedRows>>[] = [];
  for (const sample of samples) each.push(await countedRows([sample], 1, of));
  return of.map((_, at) => ({
    activations: each.flatMap(({ rows }) => rows[at]!.activations),
    latents: each.flatMap(({ rows }) => rows[at]!.latents),
  }));
}

/** Largest difference in each row. */
function differences(one: readonly number[][], other: readonly number[][]): number[] {
  expect(one).toHaveLength(other.length);
  return one.map((row, n) =>
    row.reduce((most, value, at) => Math.max(most, Math.abs(value - other[n]![at]!)), 0),
  );
}

describe('latents of SAEs on one place', () => {
  it('of texts of many lengths are those of each alone, without padding', async () => {
    const alone = await aloneRows();
    const { rows, extents } = await countedRows(samples, 2);
    // 48 tokens at most go through the model together.
    expect(extents).toEqual([
      [3, 24, 9, 1],
      [17, 5, 12],
    ]);
    rows.forEach(({ activations, latents }, at) => {
      // Rounding of float32 products in another order; no latent of a ReLU changes sides by it.
      for (const one of differences(activations, alone[at]!.activations))
        expect(one).toBeLessThan(1e-4);
      for (const one of differences(latents, alone[at]!.latents)) expect(one).toBeLessThan(1e-3);
    });
  });

  it('have rows of their own beside an SAE that looks back', async () => {
    const temporal = (await loadSAE(
      `${root}test/evaluation/fixtures/unusual/temporal`,
    )) as Dictionary;
    const both = [...saes, { sae: temporal, site: 8, positions: everyPosition, override: null }];
    const alone = await aloneRows(both);
    const { rows, extents } = await countedRows(samples, 2, both);
    expect(extents).toEqual([[24, 24], [9, 9], [17, 17], [12]]);
    rows.forEach(({ latents }, at) => {
      // One that is next to the k-th largest may change sides, in a row or two.
      const other = differences(latents, alone[at]!.latents).filter((one) => one >= 1e-3);
      expect(other.length).toBeLessThanOrEqual(2);
    });
    temporal.dispose();
  });

  it('end when they are cancelled', async () => {
    const cancel = new AbortController();
    let calls = 0;
    await expect(
      eachSiteLatents(
        samples,
        { model, saes, saeDtype: 'float32', sequences: 1, signal: cancel.signal },
        () => {
          calls += 1;
          cancel.abort();
        },
      ),
    ).rejects.toThrow(/abort/i);
    expect(calls).toBe(1);
  });
});
