/** How many micro-batches go through a block together, and how often blocks are brought in. */
import { describe, expect, it } from 'vitest';
import {
  blocksBrought,
  chooseSuperBatch,
  superBatches,
} from '#src/evaluation/engine/super-batch.js';

const input = {
  microBatch: { sequences: 2, lanesPerCall: 4, logits: 1000 },
  seqLen: 100,
  width: 64,
  kept: 3,
  lanes: 4,
  rounds: 1,
  bytes: { model: 2, sae: 4 },
  batchSize: 8,
};

describe('the size of a super-batch', () => {
  it('is one micro-batch at the least', () => {
    for (const budget of [-1e9, 0, 1]) expect(chooseSuperBatch({ ...input, budget })).toBe(1);
  });

  it('grows with memory, in whole batches beyond one, to what is enough', () => {
    const sizes = [1e6, 2e6, 4e6, 1e9, 1e12].map((budget) =>
      chooseSuperBatch({ ...input, budget }),
    );
    expect([...sizes].sort((a, b) => a - b)).toEqual(sizes);
    for (const size of sizes) if (size > 4) expect(size % 4).toBe(0);
    expect(sizes.at(-1)).toBe(sizes.at(-2));
    // 131,072 tokens of five streams.
    expect(sizes.at(-1)! * 2 * 100 * 5).toBeGreaterThan(0.95 * 2 ** 17);
    expect(sizes.at(-1)! * 2 * 100 * 5).toBeLessThan(1.05 * 2 ** 17);
  });

  it('is smaller if residual streams wait for another round', () => {
    const budget = 4e6;
    expect(chooseSuperBatch({ ...input, budget, rounds: 2 })).toBeLessThan(
      chooseSuperBatch({ ...input, budget }),
    );
  });
});

describe('the number of super-batches', () => {
  it.each([
    // samples, batch, sequences, super-batch: times
    [32, 8, 2, 4, 4], // a batch at a time
    [32, 8, 2, 8, 2], // two batches
    [33, 8, 2, 8, 3],
    [32, 8, 2, 2, 8], // halves of a batch
    [32, 8, 2, 3, 8], // 3 + 1
    [35, 8, 2, 3, 9], // and the last of 3 samples, 2 micro-batches
    [3, 8, 2, 100, 1],
    [6, 4, 2, 3, 1], // 2 + 1
    [10, 4, 2, 4, 2], // 2 + 2, 1
    [14, 4, 2, 5, 2], // 2 + 2, 2 + 1
  ])('of %i samples in batches of %i by %i, %i at a time, is %i', (samples, ...rest) => {
    const [batchSize, sequences, superBatch, times] = rest;
    expect(superBatches(samples, { batchSize, sequences, superBatch })).toBe(times);
  });
});

it('samples that are only measured bring in fewer blocks', () => {
  const sizes = { batchSize: 8, sequences: 2, superBatch: 4, blocks: { spliced: 32, measured: 5 } };
  expect(blocksBrought(80, { ...sizes, spliced: Infinity })).toBe(10 * 32);
  // The third sweep has samples of both.
  expect(blocksBrought(80, { ...sizes, spliced: 18 })).toBe(3 * 32 + 7 * 5);
  expect(blocksBrought(80, { ...sizes, spliced: 0 })).toBe(10 * 5);
});
