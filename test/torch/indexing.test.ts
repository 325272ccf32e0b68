/**
 * Indexing against what PyTorch 2.13 answers to the expression beside each case, on x =
 * torch.arange(24.).reshape(2, 3, 4).
 */
import { describe, expect, it } from 'vitest';
import {
  arange,
  memory,
  operator,
  scope,
  slice,
  tensor,
  TorchError,
  type Index,
  type Tensor,
} from '#src/torch/index.js';

const cube = (): Tensor => arange(24, { dtype: 'float32' }).reshape([2, 3, 4]);
const long = (values: number[] | number[][]): Tensor => tensor(values, { dtype: 'int64' });
const mask = (): Tensor =>
  tensor([
    [true, false, true],
    [false, true, false],
  ]);

const cases: [string, () => Index[], number[], number][] = [
  // expression, indices, shape, Σ value · (1 + place)
  ['x[1]', () => [1], [3, 4], 1508],
  ['x[-1, 0, 2]', () => [-1, 0, 2], [], 14],
  ['x[:, 1:3]', () => [slice(), slice(1, 3)], [2, 2, 4], 2304],
  ['x[..., -2:]', () => ['...', slice(-2)], [2, 3, 2], 1258],
  ['x[:, None, ::2, 0]', () => [slice(), null, slice(null, null, 2), 0], [2, 1, 2], 132],
  ['x[None, 0, ..., 1:3]', () => [null, 0, '...', slice(1, 3)], [1, 3, 2], 149],
  ['x[mask]', () => [mask()], [3, 4], 1012],
  ['x[mask, 1:3]', () => [mask(), slice(1, 3)], [3, 2], 265],
  ['x[:, [0, 2]]', () => [slice(), [0, 2]], [2, 2, 4], 2096],
  ['x[:, torch.tensor([0, -1]), 1]', () => [slice(), long([0, -1]), 1], [2, 2], 142],
  [
    'x[torch.tensor([[0, 1], [1, 0]])]',
    () => [
      long([
        [0, 1],
        [1, 0],
      ]),
    ],
    [2, 2, 3, 4],
    14096,
  ],
  ['x[[0, 1], :, [1, 2]]', () => [[0, 1], slice(), [1, 2]], [2, 3], 316],
  ['x[:, None, [0, 2]]', () => [slice(), null, [0, 2]], [2, 1, 2, 4], 2096],
  ['x[1:, 5:]', () => [slice(1), slice(5)], [1, 0, 4], 0],
];

/** Values and their order in one number; whole numbers below 2^24 are exact in float32. */
function digest(t: Tensor): number {
  return scope(() => t.reshape([-1]).mul(arange(t.numel).add(1)).sum().item());
}

describe('index', () => {
  it.each(cases)('%s', (_, indices, shape, sum) => {
    scope(() => {
      const found = cube().index(indices());
      expect(found.shape).toEqual(shape);
      expect(digest(found)).toBe(sum);
    });
  });

  it.each(cases)('writes where it reads: %s = 100', (_, indices) => {
    scope(() => {
      const x = cube();
      const places = arange(24)
        .reshape([2, 3, 4])
        .index(indices())
        .reshape([-1])
        .toArray() as number[];
      const copy = x.indexPut(indices(), 100);
      expect(x.eq(100).sum().item()).toBe(0);
      expect(copy.eq(100).sum().item()).toBe(new Set(places).size);
      expect(copy.index(indices()).eq(100).all().item()).toBe(true);
      expect(x.indexPut_(indices(), 100)).toBe(x);
      expect(x.equal(copy)).toBe(true);
    });
  });

  it('views share memory, gathers do not', () => {
    scope(() => {
      const x = cube();
      x.index([slice(), 0]).fill_(7);
      expect(x.eq(7).sum().item()).toBe(9); // eight, and the 7 that was there
      x.index([[0]]).fill_(-1);
      expect(x.eq(-1).sum().item()).toBe(0);
      expect(x.index(1).shape).toEqual([3, 4]);
      const all = x.index([]);
      expect(all).not.toBe(x);
      expect(operator('is_set_to')(all, x)).toBe(true);
    });
  });

  it(
    'writes tensors that broadcast, in the dtype of what they are written to, and adds where ' +
      'asked',
    () => {
      scope(() => {
        const x = cube();
        x.indexPut_([0, slice(0, 2)], tensor([1, 2, 3, 4], { dtype: 'float64' }));
        expect(x.index([0]).toArray()).toEqual([
          [1, 2, 3, 4],
          [1, 2, 3, 4],
          [8, 9, 10, 11],
        ]);
        x.indexPut_(
          [
            [0, 0],
            [2, 2],
            [1, 1],
          ],
          1,
          { accumulate: true },
        );
        expect(x.index([0, 2, 1]).item()).toBe(11);
        x.indexPut_([slice(), 2, 1], 1, { accumulate: true });
        expect(x.index([0, 2, 1]).item()).toBe(12);
      });
    },
  );

  it('leaves no handle but its result', () => {
    scope(() => {
      const x = cube();
      const indices = [null, [0, 1], mask().index(0), slice(1)] as const;
      const before = memory().handles;
      const found = x.index([...indices.slice(0, 2), slice(), slice(1)]);
      expect(memory().handles).toBe(before + 1);
      x.indexPut_([0, [1]], 3);
      expect(memory().handles).toBe(before + 1);
      found.dispose();
      return null;
    });
  });

  it.each<[string, Index[], RegExp]>([
    ['a place outside', [0, 3], /entry 1: expected a whole number from -3 to 2 .*found 3/],
    ['too many', [0, 0, 0, 0], /at most 3 dimensions, found 4/],
    [
      'a mask of another shape',
      [[[true, false]]],
      /entry 0: expected a mask of shape \[2, 3\], found \[1, 2\]/,
    ],
    ['two ellipses', ['...', '...'], /at most once/],
    ['floats', [[0.5]], /entry 0: expected whole numbers/],
    ['a ragged array', [[[0], [1, 2]] as never], /rectangular/],
    ['something else', [{} as never], /entry 0: expected a number, slice\(\), null/],
  ])('refuses %s', (_, indices, message) => {
    const call = (): unknown => scope(() => cube().index(indices));
    expect(call).toThrow(TorchError);
    expect(call).toThrow(message);
  });

  it('refuses float tensors as indices, and ranges that run backwards', () => {
    expect(() => scope(() => cube().index([tensor([0])]))).toThrow(
      /Tensor of integers or bool, found one of dtype float32/,
    );
    expect(() => slice(0, 1, -1)).toThrow(/expected at least 1, found -1; flip/);
    expect(() => slice(0.5)).toThrow(/'start': expected a whole number or null, found 0.5/);
  });
});
