/**
 * Indexing like PyTorch's `x[0, 1:3, None, ..., mask]`: an array has one entry for each item
 * between commas. Ranges, numbers and new dimensions give a view; masks and index tensors copy. As
 * in PyTorch, the dimensions of adjacent advanced indices keep their place, those of separated ones
 * come first.
 */
import { TorchError } from './errors.js';
import { operator, ops } from './ops.js';
import { scope } from './scope.js';
import { isTensor, Tensor, type Scalar } from './tensor.js';
import { tensor } from './create.js';

/** A range `start:stop:step` of a dimension of any size: see {@link slice}. */
export class Slice {
  constructor(
    readonly start: number | null,
    readonly stop: number | null,
    readonly step: number,
  ) {}
}

/**
 * A range of one dimension, like Python's `start:stop:step`. `slice()` is the whole dimension,
 * `slice(2)` begins at 2, `slice(-3)` takes the last three, `slice(0, 3)` the first three,
 * `slice(null, null, 2)` every second element. Steps are at least 1.
 */
export function slice(start: number | null = null, stop: number | null = null, step = 1): Slice {
  for (const [name, value] of [
    ['start', start],
    ['stop', stop],
    ['step', step],
  ] as const) {
    if (value !== null && !Number.isSafeInteger(value))
      throw new TorchError(
        'torch-argument',
        `slice: argument '${name}': expected a whole number or null, found ${String(value)}`,
      );
  }
  if (step < 1)
    throw new TorchError(
      'torch-argument',
      `slice: argument 'step': expected at least 1, found ${step}; flip() reverses a dimension`,
    );
  return new Slice(start, stop, step);
}

type NestedIndex = readonly (number | boolean | NestedIndex)[];
/**
 * Entry of an index. A number selects and drops the dimension. A {@link Slice} keeps a range.
 * `null` inserts a dimension of size 1. `'...'` stands for all dimensions without an entry. A bool
 * Tensor is a mask over as many dimensions as it has. An integer Tensor, or an array of numbers,
 * gathers.
 */
export type Index = number | Slice | null | '...' | Tensor | NestedIndex;

interface Indexed {
  /** The tensor with numbers, ranges and new dimensions applied: shares memory. */
  view: Tensor;
  /** Index tensors for the dimensions of `view`; empty if the view is the result. */
  gathered: (Tensor | null)[];
}

const integers = new Set([
  'int8',
  'uint8',
  'int16',
  'int32',
  'int64',
  'uint16',
  'uint32',
  'uint64',
]);
const nonzero = (mask: Tensor): readonly Tensor[] => ops.nonzero_numpy(mask);

function refuse(position: number, expected: string, found: string): never {
  throw new TorchError(
    'torch-argument',
    `index: entry ${position}: expected ${expected}, found ${found}`,
  );
}

function asTensor(item: Tensor | NestedIndex, position: number, device: string): Tensor {
  if (!isTensor(item)) {
    const flat = (item as readonly unknown[]).flat(Infinity);
    const booleans = flat.length > 0 && flat.every((value) => typeof value === 'boolean');
    if (!booleans && !flat.every((value) => Number.isSafeInteger(value)))
      refuse(position, 'whole numbers, or booleans alone', 'an array of something else');
    return tensor(item, { dtype: booleans ? 'bool' : 'int64', device });
  }
  if (item.dtype === 'bool') return item;
  if (!integers.has(item.dtype))
    refuse(position, 'a Tensor of integers or bool', `one of dtype ${item.dtype}`);
  return item.dtype === 'int64' ? item : item.to({ dtype: 'int64' });
}

function isList(item: Index | undefined): item is NestedIndex {
  return Array.isArray(item);
}

function apply(self: Tensor, indices: readonly Index[]): Indexed {
  const device = self.device;
  const items = indices.map((item, i): Exclude<Index, NestedIndex> =>
    isTensor(item) || isList(item) ? asTensor(item, i, device) : item,
  );
  const taken = items.reduce(
    (sum: number, item) =>
      sum +
      (item === null || item === '...'
        ? 0
        : isTensor(item) && item.dtype === 'bool'
          ? item.shape.length
          : 1),
    0,
  );
  const rest = self.shape.length - taken;
  if (rest < 0)
    throw new TorchError(
      'torch-argument',
      `index: expected entries for at most ${self.shape.length} dimensions, found ${taken}`,
    );
  if (items.filter((item) => item === '...').length > 1)
    throw new TorchError('torch-argument', "index: expected '...' at most once");

  let view = self;
  let dim = 0;
  const gathered: (Tensor | null)[] = [];
  items.forEach((item, i) => {
    if (item === null) view = view.unsqueeze(dim++);
    else if (item === '...') dim += rest;
    else if (typeof item === 'number') {
      const size = view.shape[dim]!;
      if (!Number.isInteger(item) || item < -size || item >= size)
        refuse(
          i,
          `a whole number from ${-size} to ${size - 1} (dimension of size ${size})`,
          String(item),
        );
      view = view.select(dim, item);
    } else if (item instanceof Slice) view = view.slice(dim++, item.start, item.stop, item.step);
    else if (!isTensor(item))
      refuse(
        i,
        "a number, slice(), null, '...', a Tensor or an array of numbers",
        item === undefined ? 'nothing' : typeof item,
      );
    else if (item.dtype === 'bool') {
      const covered = view.shape.slice(dim, dim + item.shape.length);
      if (item.shape.length === 0) refuse(i, 'a mask with dimensions', 'one without');
      if (String(item.shape) !== String(covered))
        refuse(i, `a mask of shape [${covered.join(', ')}]`, `[${item.shape.join(', ')}]`);
      for (const column of nonzero(item)) gathered[dim++] = column;
    } else gathered[dim++] = item;
  });
  return { view, gathered: Array.from(gathered, (given) => given ?? null) };
}

const asItems = (indices: Index | readonly Index[]): readonly Index[] =>
  Array.isArray(indices) ? (indices as readonly Index[]) : [indices as Index];

function index(this: Tensor, indices: Exclude<Index, NestedIndex> | readonly Index[]): Tensor {
  // Fast path: single rows are the most frequent index.
  const size = typeof indices === 'number' ? this.shape[0] : undefined;
  if (
    size !== undefined &&
    Number.isInteger(indices) &&
    (indices as number) >= -size &&
    (indices as number) < size
  )
    return this.select(0, indices as number);
  return scope(() => {
    const { view, gathered } = apply(this, asItems(indices));
    if (gathered.length > 0) return ops.index(view, gathered);
    return view === this ? (operator('alias')(this) as Tensor) : view;
  });
}

export interface IndexPutOptions {
  /** Adds instead of replacing; an index that occurs twice counts twice. */
  accumulate?: boolean;
}

function indexPutInPlace(
  this: Tensor,
  indices: Exclude<Index, NestedIndex> | readonly Index[],
  value: Tensor | Scalar,
  { accumulate = false }: IndexPutOptions = {},
): Tensor {
  scope(() => {
    const { view, gathered } = apply(this, asItems(indices));
    const { dtype, device } = this;
    const values = isTensor(value)
      ? value.to({ dtype, device })
      : ops.full([], value, { dtype, device });
    if (gathered.length > 0) ops.index_put_(view, gathered, values, accumulate);
    else if (accumulate) view.add_(values);
    else view.copy_(values);
    return null;
  });
  return this;
}

function indexPut(
  this: Tensor,
  indices: Exclude<Index, NestedIndex> | readonly Index[],
  value: Tensor | Scalar,
  options: IndexPutOptions = {},
): Tensor {
  const copy = this.clone();
  return indexPutInPlace.call(copy, indices, value, options);
}

export interface IndexingMethods {
  /**
   * `x.index([0, slice(1, 3), null, '...', mask])` is PyTorch's `x[0, 1:3, None, ..., mask]`;
   * `x.index(mask)` and `x.index(3)` need no array. (`ops.index` is ATen's own, which takes only
   * tensors, and null for a whole dimension.)
   * @throws TorchError `torch-argument` with the entry that does not fit; `torch-operator` if an
   *   index tensor leads outside.
   */
  index(indices: Exclude<Index, NestedIndex> | readonly Index[]): Tensor;
  /** A copy with the value, a number or a tensor that broadcasts, at the indexed elements. */
  indexPut(
    indices: Exclude<Index, NestedIndex> | readonly Index[],
    value: Tensor | Scalar,
    options?: IndexPutOptions,
  ): Tensor;
  /**
   * Writes the value, a number or a tensor that broadcasts, to the indexed elements of this tensor.
   * Returns the tensor.
   */
  indexPut_(
    indices: Exclude<Index, NestedIndex> | readonly Index[],
    value: Tensor | Scalar,
    options?: IndexPutOptions,
  ): Tensor;
}

Object.assign(Tensor.prototype, { index, indexPut, indexPut_: indexPutInPlace });
