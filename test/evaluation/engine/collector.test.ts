/** Sums per sequence that a micro-batch gives, over the positions that count under a protocol. */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Collector } from '#src/evaluation/engine/collector.js';
import { Positions, type Over, type PositionsOptions } from '#src/evaluation/engine/positions.js';
import { keptPositions, positionSet } from '#src/evaluation/positions.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import type { ProtocolName } from '#src/schema/index.js';
import { memory, ops, setInferenceMode, tensor, type Tensor } from '#src/torch/index.js';

beforeAll(() => setInferenceMode(true));

// A whole sequence, one with padding, one of one token.
const lengths = [4, 3, 1];
const rows = (all: readonly number[], T: number): { ids: Int32Array; length: number }[] =>
  all.map((length, b) => ({ ids: Int32Array.from({ length: T }, (_, t) => 10 * b + t), length }));
const over4 = (options: Partial<PositionsOptions> = {}): Positions =>
  new Positions({ samples: rows(lengths, 4), T: 4, device: 'cpu', ...options });
const make = (): Collector => new Collector({ positions: over4() });
const maskOf = (into: Collector, protocol: ProtocolName, over: Over = 'positions'): Tensor =>
  into.positions.mask(protocol, over);
const all = [true, true, true, true];
const prefix = (count: number): boolean[] => all.map((_, t) => t < count);
const disposeOf = (into: Collector): void => {
  into.dispose();
  into.positions.dispose();
};

describe('positions that count', () => {
  it.each<[ProtocolName, Over, number[]]>([
    ['reference', 'positions', [4, 4, 4]],
    ['reference', 'nextPositions', [3, 3, 3]],
    ['strict', 'positions', [4, 3, 1]],
    ['strict', 'nextPositions', [3, 2, 0]],
  ])('under %s, of %s', (protocol, over, counts) => {
    const positions = over4();
    expect([...positions.counts(protocol, over)]).toEqual(counts);
    expect(positions.mask(protocol, over).toArray()).toEqual(counts.map(prefix));
    expect(positions.mask(protocol, over)).toBe(positions.mask(protocol, over)); // made once
    positions.dispose();
  });

  it('are never fewer than none', () => {
    const positions = new Positions({ samples: rows([0, 1], 1), T: 1, device: 'cpu' });
    for (const protocol of ['reference', 'strict'] as const)
      expect([...positions.counts(protocol, 'nextPositions')]).toEqual([0, 0]);
    expect(positions.mask('strict').toArray()).toEqual([[false], [true]]);
    positions.dispose();
  });

  it('are real ones outside an exclusion, of ids and of a range, under strict alone', () => {
    const positions = over4();
    const set = positionSet({ specials: true, ids: [12], kept: [1, null] }, new Set([1, 2, 999]));
    // Ids 1, 2 and 12 are out, and so is position 0.
    const counted = [
      [false, false, false, true],
      [false, true, false, false],
      Array(4).fill(false),
    ];
    expect(positions.mask('strict', 'positions', set).toArray()).toEqual(counted);
    expect([...positions.counts('strict', 'positions', set)]).toEqual([1, 1, 0]);
    // Position t counts if it is not out itself and t + 1 is real: the label may be out.
    expect([...positions.counts('strict', 'nextPositions', set)]).toEqual([0, 1, 0]);
    expect([...positions.counts('reference', 'positions', set)]).toEqual([4, 4, 4]);
    expect(positions.excluded(set)!.squeeze(-1).toArray()).toEqual([
      [true, true, true, false],
      [true, false, true, false],
      [true, false, false, false],
    ]);
    positions.dispose();
  });

  it.each([
    [
      [1, null],
      [0, 1, 1, 1, 1, 1],
    ],
    [
      [null, -2],
      [1, 1, 1, 1, 0, 0],
    ],
    [
      [-3, -1],
      [0, 0, 0, 1, 1, 0],
    ],
    [
      [0, 100],
      [1, 1, 1, 1, 1, 1],
    ],
    [
      [-100, 2],
      [1, 1, 0, 0, 0, 0],
    ],
    [
      [1, null, 2],
      [0, 1, 0, 1, 0, 1],
    ],
    [
      [4, 2],
      [0, 0, 0, 0, 0, 0],
    ],
  ])('a range is a slice of Python: %j', (kept, flags) => {
    const set = positionSet({ specials: false, ids: [], kept }, new Set());
    expect([...(keptPositions(set, 6) ?? [1, 1, 1, 1, 1, 1])]).toEqual(flags);
  });
});

describe('values of tokens', () => {
  const values = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];

  it('are summed for each sequence over the positions that count', () => {
    const into = make();
    const sums = new Accumulator();
    for (const protocol of ['reference', 'strict'] as const)
      for (const over of ['positions', 'nextPositions'] as const)
        into.tokens(`${protocol} ${over}`, {
          mask: maskOf(into, protocol, over),
          values: tensor(values),
        });
    into.flush(sums);
    const column = (name: string): number[] => [...sums.column(name)!];
    expect(column('reference positions')).toEqual([15, 240, 3840]);
    expect(column('reference nextPositions')).toEqual([7, 112, 1792]);
    expect(column('strict positions')).toEqual([15, 112, 256]);
    expect(column('strict nextPositions')).toEqual([7, 48, 0]);
  });

  it.each([Number.NaN, Infinity, -Infinity])('may be %s on padding, where none counts', (odd) => {
    const padded = values.map((value, n) => ([7, 9, 10, 11].includes(n) ? odd : value));
    const into = make();
    const sums = new Accumulator();
    const add = (key: string, mask: Tensor): void =>
      into.tokens(key, { mask, values: tensor(padded) });
    add('strict', maskOf(into, 'strict'));
    add('next', maskOf(into, 'strict', 'nextPositions'));
    add('reference', maskOf(into, 'reference'));
    into.flush(sums);
    expect([...sums.column('strict')!]).toEqual([15, 112, 256]);
    expect([...sums.column('next')!]).toEqual([7, 48, 0]);
    expect([...sums.column('reference')!]).toEqual([15, odd, odd]);
  });

  it('are added in float64, whatever their dtype', () => {
    const positions = new Positions({ samples: rows([3], 3), T: 3, device: 'cpu' });
    const into = new Collector({ positions });
    const sums = new Accumulator();
    for (const [dtype, large] of [
      ['float32', 2 ** 24],
      ['bfloat16', 2 ** 8],
      ['float64', 2 ** 24],
    ] as const)
      into.tokens(dtype, {
        mask: maskOf(into, 'strict'),
        values: tensor([large, 1, 1]).to({ dtype }),
      });
    into.flush(sums);
    // In float32 2²⁴ + 1 = 2²⁴, in bfloat16 2⁸ + 1 = 2⁸.
    expect(sums.column('float32')![0]).toBe(2 ** 24 + 2);
    expect(sums.column('bfloat16')![0]).toBe(2 ** 8 + 2);
    expect(sums.column('float64')![0]).toBe(2 ** 24 + 2);
  });
});

describe('flushing', () => {
  it('appends sums sequence by sequence, and adds vectors to the run', () => {
    const sums = new Accumulator();
    for (const shift of [0, 10]) {
      const positions = new Positions({ samples: rows([1, 1], 1), T: 1, device: 'cpu' });
      const into = new Collector({ positions });
      into.tokens('a', {
        mask: maskOf(into, 'strict'),
        values: tensor([1 + shift, 2 + shift]),
      });
      into.vector('v', tensor([shift, 1, 0.5]));
      into.vector('v', tensor([0, 1, 0]));
      into.flush(sums);
    }
    expect([...sums.column('a')!]).toEqual([1, 2, 11, 12]);
    expect([...sums.vector('v')!]).toEqual([10, 4, 1]);
  });

  it('brings all sums to the host in one transfer, and frees what was collected', () => {
    const transfers = vi.spyOn(
      Object.getPrototypeOf(ops.ones([1])) as { toTypedArray(): unknown },
      'toTypedArray',
    );
    const before = memory().handles;
    const values = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const into = make();
    for (const key of ['a', 'b', 'c', 'd'])
      into.tokens(key, { mask: maskOf(into, 'strict'), values });
    into.tokens('e', { mask: maskOf(into, 'reference', 'nextPositions'), values });
    const sums = new Accumulator();
    into.flush(sums);
    into.positions.dispose();
    expect(transfers).toHaveBeenCalledTimes(1);
    transfers.mockRestore();
    expect(memory().handles).toBe(before);
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => sums.column(key)?.length)).toEqual([
      3, 3, 3, 3, 3,
    ]);
  });

  it('may be left out: a collector that is disposed of leaves nothing', () => {
    const before = memory().handles;
    const into = make();
    const values = ops.ones([12]);
    into.tokens('a', { mask: maskOf(into, 'strict'), values });
    into.vector('v', values);
    disposeOf(into);
    values.dispose();
    expect(memory().handles).toBe(before);
  });
});
