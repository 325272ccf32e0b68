/** Micro-batches of texts of many lengths in one row: the numbers of texts in rows of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Positions } from '#src/evaluation/engine/positions.js';
import { nextSlices, type BatchSums } from '#src/evaluation/engine/slices.js';
import { everyPosition } from '#src/evaluation/positions.js';
import { readLatents } from '#src/evaluation/latents/read-latents.js';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { fromTypedArray, ops, scope } from '#src/torch/index.js';
import { shipped } from '../../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-unpadded-'));
const texts = join(folder, 'texts.jsonl');
/** Words of each text: none is as long as the longest. */
const words = [3, 40, 9, 1, 22, 60, 5, 14, 2, 31, 7, 18];

beforeAll(() => {
  const all = 'the cat that sat on a mat saw two dogs and ran up the hill to its old house'.split(
    ' ',
  );
  writeFileSync(
    texts,
    words
      .map((count, n) => Array.from({ length: count }, (_, i) => all[(7 * n + i) % all.length]))
      .map((some) => `${JSON.stringify({ text: some.join(' ') })}\n`)
      .join(''),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

const eight: EvaluationRequest['saes'] = [
  { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 },
  { kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k: 16 },
  { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
  { kind: 'Vanilla', checkpoint: shipped('Vanilla_tiny.pt'), layer: 16 },
  { kind: 'Gated', checkpoint: shipped('Gated_tiny.pt'), layer: 16 },
  { kind: 'JumpReLU', checkpoint: shipped('JumpReLU_tiny.pt'), layer: 16 },
  { kind: 'Crosscoder', checkpoint: shipped('Crosscoder_tiny.pt') },
  { kind: 'RandomK', checkpoint: shipped('TopK_tiny.pt'), k: 16 },
];
const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: texts, seqLen: 64 },
  batchSize: 6,
  inferK: [4, 16],
  saes: eight,
};

/** Every number of a part of a result, by its place there. */
function numbersOf(value: unknown, place = ''): Map<string, number> {
  if (typeof value === 'number') return new Map([[place, value]]);
  if (typeof value !== 'object' || value === null) return new Map();
  return new Map(
    Object.entries(value).flatMap(([name, part]) => [...numbersOf(part, `${place}/${name}`)]),
  );
}

/**
 * Largest |a − b| / max(|b|, 1e-3) of all numbers under some protocols. Now and then a latent next
 * to the k-th largest changes sides by rounding, which moves one of some 200 tokens.
 */
function expectAlike(
  found: EvaluationResult,
  wanted: EvaluationResult,
  protocols: readonly string[],
): void {
  let compared = 0;
  found.results.forEach((result, n) => {
    for (const protocol of protocols) {
      const of = (all: EvaluationResult): Map<string, number> =>
        numbersOf((all.results[n] as unknown as Record<string, unknown>)[protocol]);
      const other = of(wanted);
      const own = of(found);
      expect([...own.keys()]).toEqual([...other.keys()]);
      for (const [place, value] of own) {
        const right = other.get(place)!;
        const error = Math.abs(value - right) / Math.max(Math.abs(right), 1e-3);
        expect(error, `${result.label} ${protocol}${place}: ${value}, ${right}`).toBeLessThan(2e-3);
        compared += 1;
      }
    }
  });
  expect(compared).toBeGreaterThan(20 * found.results.length);
}

describe('unpadded micro-batches', () => {
  it('give the numbers of padded ones, for the eight kinds', async () => {
    // `reference` counts padded positions, so beside it nothing is unpadded.
    const padded = await run({ ...request, protocol: ['reference', 'strict'] });
    const unpadded = await run({ ...request, protocol: ['strict'] });
    expectAlike(unpadded, padded, ['strict']);
    expect(unpadded.data.realTokens).toBe(padded.data.realTokens);
    expect(unpadded.data.paddedTokens).toBe(padded.data.paddedTokens);
    expect(unpadded.data.paddedTokens).toBeGreaterThan(unpadded.data.realTokens);
  });

  it('give other tools’ numbers too, and leave positions as they are', async () => {
    const one: EvaluationRequest = {
      ...request,
      saes: [
        { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 8, k: 16, exclude: 'specials' },
        { kind: 'JumpReLU', checkpoint: shipped('JumpReLU_tiny.pt'), layer: 16 },
      ],
    };
    const tools = ['saelens', 'saebench'] as const;
    const padded = await run({ ...one, protocol: ['reference', 'strict', ...tools] });
    const unpadded = await run({ ...one, protocol: ['strict', ...tools] });
    const names = Object.keys(unpadded.results[0]!).filter((name) => name.includes('@'));
    expect(names).toHaveLength(2);
    expectAlike(unpadded, padded, ['strict', ...names]);
  });

  it('put each latent’s contexts at the same tokens', async () => {
    const tables = await Promise.all(
      (['padded', 'unpadded'] as const).map(async (name) => {
        const latents = join(folder, `${name}.parquet`);
        await run(
          {
            ...request,
            saes: [eight[3]!],
            latents: 3,
            protocol: name === 'padded' ? ['reference', 'strict'] : ['strict'],
          },
          { latents },
        );
        return readLatents(latents, { sort: 'density', limit: 20 });
      }),
    );
    const [padded, unpadded] = tables;
    const placesOf = (table: (typeof tables)[0]): unknown =>
      table.latents.map(({ latent, density, contexts }) => ({
        latent,
        density,
        places: contexts.map(({ sample, position, token }) => ({ sample, position, token })),
      }));
    expect(placesOf(unpadded!)).toEqual(placesOf(padded!));
    expect(unpadded!.latents[0]!.contexts).toHaveLength(3);
  });
});

describe('micro-batches', () => {
  const batch = (lengths: readonly number[]): BatchSums =>
    ({
      samples: lengths.map((length) => ({ ids: new Int32Array(10), length })),
      first: 0,
      done: 0,
    }) as unknown as BatchSums;
  const amounts = { sequences: 2, superBatch: Infinity, spliced: Infinity };
  const sizes = (lengths: readonly number[], over: object): number[] =>
    nextSlices([{ ...batch(lengths), ...over }], { ...amounts, isUnpadded: true }).map(
      ({ samples }) => samples.length,
    );

  it('have the sequences that fit, in the place of padding', () => {
    expect(sizes([10, 10, 10, 10], {})).toEqual([2, 2]);
    expect(sizes([3, 4, 5, 6, 7, 2, 1, 10, 10, 1], {})).toEqual([4, 4, 2]);
    expect(sizes([1, 1, 1], {})).toEqual([3]);
    const padded = nextSlices([batch([3, 4, 5])], { ...amounts, isUnpadded: false });
    expect(padded.map(({ samples }) => samples.length)).toEqual([2, 1]);
  });

  it('end at the same samples after one that was cut', () => {
    const lengths = [3, 4, 5, 6, 7, 2, 1, 10, 10, 1];
    expect(sizes(lengths, { done: 1 })).toEqual([3, 4, 2]);
    expect(sizes(lengths, { done: 6 })).toEqual([2, 2]);
    expect(
      nextSlices([batch(lengths)], { ...amounts, isUnpadded: true, spliced: 5 }).map(
        ({ samples, isSpliced }) => [samples.length, isSpliced],
      ),
    ).toEqual([
      [4, true],
      [1, true],
      [3, false],
      [2, false],
    ]);
  });
});

describe('positions of an unpadded micro-batch', () => {
  const ids = new Int32Array([5, 6, 7, 0]);
  const samples = [3, 1, 2].map((length) => ({ ids, length }));
  const positions = new Positions({ samples, T: 6, device: 'cpu', isUnpadded: true });
  afterAll(() => positions.dispose());

  it('count what predicts a next token of the same sequence', () => {
    expect(positions.mask('strict').shape).toEqual([1, 6]);
    expect([...positions.flags('strict')]).toEqual([1, 1, 1, 1, 1, 1]);
    expect([...positions.flags('strict', 'nextPositions')]).toEqual([1, 1, 0, 0, 1, 0]);
    expect([...positions.counts('strict', 'nextPositions')]).toEqual([2, 0, 1]);
    const excluded = { ...everyPosition, key: 'all but 5', excludedIds: new Set([5]) };
    expect([...positions.counts('strict', 'positions', excluded)]).toEqual([2, 0, 1]);
  });

  it('sum over each sequence', () => {
    const sums = scope(() => {
      const values = fromTypedArray(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 1, 6]);
      return positions.sums(ops.cat([values, values.neg()], 0)).toArray();
    });
    expect(sums).toEqual([
      [6, 4, 11],
      [-6, -4, -11],
    ]);
  });
});
