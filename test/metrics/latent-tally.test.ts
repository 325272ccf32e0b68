/** Tallies of latents: merged in any grouping to the same bits; ties go to the first place. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { activationBin, activationBins, activationEdges } from '#src/metrics/activation-bins.js';
import { LatentTally, type TalliedSequences } from '#src/metrics/latent-tally.js';
import { TopContexts } from '#src/metrics/top-contexts.js';

const shape = { m: 3, n: 2, slots: 1 };
const T = 2;

/** One sequence whose rows have the given latents and values. */
function sequence(first: number, rows: readonly (readonly [number, number][])[]): TalliedSequences {
  const starts = [0];
  for (const row of rows) starts.push(starts.at(-1)! + row.length);
  return {
    first,
    extents: [T],
    seqLen: T,
    counted: Uint8Array.from(rows, () => 1),
    entries: [
      {
        slot: 0,
        offset: 0,
        starts: Int32Array.from(starts),
        latents: Int32Array.from(rows.flat(), ([latent]) => latent),
        values: Float64Array.from(rows.flat(), ([, value]) => value),
      },
    ],
  };
}

const stateOf = (tally: LatentTally): unknown =>
  [...tally.state()]
    .filter(([name]) => !name.startsWith('sum.'))
    .map(([name, values]) => [name, [...values]])
    .concat([['sums', [...tally.sums()]]]);

const value = fc.oneof(
  fc.constantFrom(1, 2, -3, 0),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
);
const row = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), value), { maxLength: 2 });
const rows = fc.array(row, { minLength: T, maxLength: T });

describe('a tally of latents', () => {
  it('is the same however it is divided, stored and merged', () => {
    fc.assert(
      fc.property(fc.array(rows, { minLength: 1, maxLength: 6 }), fc.nat(5), (samples, cut) => {
        const whole = new LatentTally(shape);
        const parts = [new LatentTally(shape), new LatentTally(shape)] as const;
        samples.forEach((one, first) => {
          whole.add(sequence(first, one));
          parts[first < cut ? 0 : 1].add(sequence(first, one));
        });
        // The later part first, and by way of a file.
        const merged = new LatentTally(shape);
        for (const part of [parts[1], parts[0]]) merged.merge(LatentTally.restore(part.state()));
        expect(stateOf(merged)).toEqual(stateOf(whole));
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the largest values, of equal ones those that come first', () => {
    const top = new TopContexts(1, 3);
    for (const [one, place] of [
      [1, 9],
      [2, 8],
      [2, 3],
      [NaN, 0],
      [1, 1],
      [2, 5],
      [0.5, 0],
    ] as const)
      top.add(0, one, place);
    expect([...top.values]).toEqual([2, 2, 2]);
    expect([...top.places]).toEqual([3, 5, 8]);
  });

  it('counts a sample once, whatever the places at which its latents are read', () => {
    const tally = new LatentTally({ m: 3, n: 1, slots: 2 });
    const one = sequence(4, [[[0, 1]], [[1, -0.25]]]);
    tally.add({ ...one, entries: [one.entries[0]!, { ...one.entries[0]!, slot: 1 }] });
    expect([...tally.active]).toEqual([2, 2, 0]);
    expect([...tally.samples]).toEqual([1, 1, 0]);
    expect(tally.positions).toBe(4);
    expect(LatentTally.atPlace(tally.top.places[1]!, { seqLen: T, slots: 2 })).toEqual({
      sample: 4,
      position: 1,
      slot: 0,
    });
  });

  it('puts a value into the bin between whose edges its magnitude lies', () => {
    expect(activationEdges).toHaveLength(activationBins + 1);
    activationEdges.slice(0, -1).forEach((edge, bin) => {
      expect(activationBin(edge)).toBe(bin);
      expect(activationBin(-1.999 * edge)).toBe(bin);
    });
    expect(activationBin(1e-9)).toBe(0);
    expect(activationBin(1e9)).toBe(activationBins - 1);
  });
});
