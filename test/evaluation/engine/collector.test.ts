/** Sums per sequence that a micro-batch gives, over the positions that count under a protocol. */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Collector, type Over } from '#src/evaluation/engine/collector.js';
import { Accumulator } from '#src/metrics/accumulator.js';
import type { ProtocolName } from '#src/schema/index.js';
import { memory, ops, setInferenceMode, tensor } from '#src/torch/index.js';

beforeAll(() => setInferenceMode(true));

// A whole sequence, one with padding, one of one token.
const lengths = [4, 3, 1];
const make = (): Collector => new Collector({ lengths, T: 4, device: 'cpu' });
const all = [true, true, true, true];
const prefix = (count: number): boolean[] => all.map((_, t) => t < count);

describe('positions that count', () => {
  it.each<[ProtocolName, Over, number[]]>([
    ['reference', 'positions', [4, 4, 4]],
    ['reference', 'nextPositions', [3, 3, 3]],
    ['strict', 'positions', [4, 3, 1]],
    ['strict', 'nextPositions', [3, 2, 0]],
  ])('under %s, of %s', (protocol, over, counts) => {
    const into = make();
    expect(lengths.map((length) => into.counts(protocol, over, length))).toEqual(counts);
    expect(into.mask(protocol, over).toArray()).toEqual(counts.map(prefix));
    expect(into.mask(protocol, over)).toBe(into.mask(protocol, over)); // made once
    into.dispose();
  });

  it('are never fewer than none', () => {
    const into = new Collector({ lengths: [0, 1], T: 1, device: 'cpu' });
    for (const protocol of ['reference', 'strict'] as const)
      expect([0, 1].map((length) => into.counts(protocol, 'nextPositions', length))).toEqual([
        0, 0,
      ]);
    expect(into.mask('strict').toArray()).toEqual([[false], [true]]);
    into.dispose();
  });
});

describe('values of tokens', () => {
  const values = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];

  it('are summed for each sequence over the positions that count', () => {
    const into = make();
    const sums = new Accumulator();
    for (const protocol of ['reference', 'strict'] as const)
      for (const over of ['positions', 'nextPositions'] as const)
        into.tokens(`${protocol} ${over}`, { protocol, over, values: tensor(values) });
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
    into.tokens('strict', { protocol: 'strict', values: tensor(padded) });
    into.tokens('next', { protocol: 'strict', over: 'nextPositions', values: tensor(padded) });
    into.tokens('reference', { protocol: 'reference', values: tensor(padded) });
    into.flush(sums);
    expect([...sums.column('strict')!]).toEqual([15, 112, 256]);
    expect([...sums.column('next')!]).toEqual([7, 48, 0]);
    expect([...sums.column('reference')!]).toEqual([15, odd, odd]);
  });

  it('are added in float64, whatever their dtype', () => {
    const into = new Collector({ lengths: [3], T: 3, device: 'cpu' });
    const sums = new Accumulator();
    for (const [dtype, large] of [
      ['float32', 2 ** 24],
      ['bfloat16', 2 ** 8],
      ['float64', 2 ** 24],
    ] as const)
      into.tokens(dtype, {
        protocol: 'strict',
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
      const into = new Collector({ lengths: [1, 1], T: 1, device: 'cpu' });
      into.tokens('a', { protocol: 'strict', values: tensor([1 + shift, 2 + shift]) });
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
    const values = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const before = memory().handles;
    const into = make();
    for (const key of ['a', 'b', 'c', 'd'])
      into.tokens(key, { protocol: 'strict', values: values });
    into.tokens('e', { protocol: 'reference', over: 'nextPositions', values });
    const sums = new Accumulator();
    into.flush(sums);
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
    into.tokens('a', { protocol: 'strict', values });
    into.vector('v', values);
    into.dispose();
    values.dispose();
    expect(memory().handles).toBe(before);
  });
});
