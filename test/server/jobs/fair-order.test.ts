/** Clients take turns; each one's own evaluations keep their order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fairOrder } from '#server/jobs/fair-order.js';

describe('fairOrder', () => {
  it('lets a client with one evaluation pass a client with many', () => {
    const waiting = [
      ...Array.from({ length: 4 }, (_, i) => ({ id: `a${i}`, client: 'a' })),
      { id: 'b0', client: 'b' },
    ];
    expect(fairOrder(waiting, new Map())).toEqual(['a0', 'b0', 'a1', 'a2', 'a3']);
    expect(fairOrder(waiting, new Map([['a', 5]]))[0]).toBe('b0');
    expect(
      fairOrder(
        waiting,
        new Map([
          ['a', 5],
          ['b', 9],
        ]),
      )[0],
    ).toBe('a0');
  });

  it('keeps everyone, and every client in order', () => {
    const waiting = fc
      .array(fc.record({ client: fc.constantFrom('a', 'b', 'c') }), { maxLength: 40 })
      .map((list) => list.map(({ client }, i) => ({ id: `${client}${i}`, client })));
    fc.assert(
      fc.property(
        waiting,
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.nat(100)),
        (list, served) => {
          const order = fairOrder(list, new Map(Object.entries(served)));
          expect([...order].sort()).toEqual(list.map(({ id }) => id).sort());
          for (const client of ['a', 'b', 'c'])
            expect(order.filter((id) => id.startsWith(client))).toEqual(
              list.filter((item) => item.client === client).map(({ id }) => id),
            );
        },
      ),
      { seed: 42, numRuns: 200 },
    );
  });
});
