/** The part of a sweep that is done, by the pace so far. */
import { expect, it } from 'vitest';
import { SweepPace } from '#src/evaluation/engine/sweep-pace.js';

it('a block takes as long as others were waited for, and their streams took', () => {
  const pace = new SweepPace();
  pace.add({ waited: 1, computed: 2, streams: 1 });
  pace.add({ waited: 3, computed: 2, streams: 1 });
  expect([pace.blocks, pace.waited]).toEqual([2, 4]);
  // 2 s for a block and 2 s for a stream: 4 + 4 of 4 + 4 + 12 + 12.
  expect(pace.part([1, 1, 5, 5], 2)).toBeCloseTo(8 / 32, 12);
  expect(pace.part([1, 1, 5, 5], 3)).toBeCloseTo(20 / 32, 12);
  expect(pace.part([1, 1, 5, 5], 4)).toBe(1);
});

it('all blocks are alike if only the waiting takes time, and by streams if only these do', () => {
  const slowDisk = new SweepPace();
  slowDisk.add({ waited: 1, computed: 0, streams: 1 });
  expect(slowDisk.part([1, 9], 1)).toBe(0.5);
  const fastDisk = new SweepPace();
  fastDisk.add({ waited: 0, computed: 1, streams: 1 });
  expect(fastDisk.part([1, 9], 1)).toBeCloseTo(0.1, 12);
});

it('before anything took time, blocks count', () => {
  const pace = new SweepPace();
  pace.add({ waited: 0, computed: 0, streams: 0 });
  expect(pace.part([0, 0, 3, 3], 1)).toBe(0.25);
});
