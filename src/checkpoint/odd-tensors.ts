/**
 * Tensors of PyTorch that are no plain arrays in a file: sparse, quantized, nested, without data
 * (meta), of other devices, of classes of their own. They are described and never opened.
 */
import type { DType } from '../torch/tensor.js';
import { Opaque, PickleTuple, type PickleGlobal } from './pickle-values.js';

/** Tensor that can be named, not opened. */
export class OddTensor extends Opaque {
  constructor(
    what: string,
    /** Sizes, if the file tells them. */
    readonly shape: readonly number[] | null,
    contents: readonly unknown[] = [],
  ) {
    super(what);
    this.contents.push(...contents);
  }
}

const sizesIn = (value: unknown): readonly number[] | null => {
  const items: unknown = value instanceof PickleTuple ? value.items : value;
  return Array.isArray(items) && items.length <= 64 && items.every(Number.isSafeInteger)
    ? [...(items as number[])]
    : null;
};

const dtypeName = (value: unknown): string =>
  (value as { dtype?: DType | null } | null | undefined)?.dtype ?? 'another dtype';

/** Stand-ins for the functions that rebuild such tensors, by their full names. */
export const oddTensors: Readonly<Record<string, PickleGlobal['call']>> = {
  'torch._utils._rebuild_sparse_tensor': ([layout, data]) =>
    new OddTensor(
      `a sparse tensor (${typeof layout === 'string' ? layout.slice(0, 40) : 'sparse'})`,
      // (indices, values, size, …) or (compressed indices, plain indices, values, size)
      data instanceof PickleTuple
        ? sizesIn(data.items[layout === 'torch.sparse_coo' ? 2 : 3])
        : null,
    ),
  'torch._utils._rebuild_qtensor': ([storage, , size]) =>
    new OddTensor(`a quantized tensor (${dtypeName(storage)})`, sizesIn(size)),
  'torch._utils._rebuild_meta_tensor_no_storage': ([dtype, size]) =>
    new OddTensor(`a tensor without data (meta, ${dtypeName(dtype)})`, sizesIn(size)),
  'torch._utils._rebuild_nested_tensor': () => new OddTensor('a nested tensor', null),
  'torch._utils._rebuild_wrapper_subclass': ([type, dtype, size]) =>
    new OddTensor(
      `a tensor of a class of its own (${
        type instanceof Opaque ? type.name.slice(0, 80) : 'unknown'
      }, ${dtypeName(dtype)})`,
      sizesIn(size),
    ),
  'torch._utils._rebuild_device_tensor_from_numpy': ([, dtype]) =>
    new OddTensor(`a tensor kept as a numpy array (${dtypeName(dtype)})`, null),
};
