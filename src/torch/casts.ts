/** The method `to` and its short forms: conversion to other dtypes and devices. */
import { TorchError } from './errors.js';
import { operator } from './ops.js';
import { isTensor, Tensor, type DType, type MemoryFormat } from './tensor.js';

export interface ToOptions {
  dtype?: DType;
  /** `cpu`, `cuda`, `cuda:3`. */
  device?: string;
  /** Returns before the copy between devices is done, if memory is pinned. */
  nonBlocking?: boolean;
  /** Copies even if nothing changes. */
  copy?: boolean;
  memoryFormat?: MemoryFormat;
}

const dtypes = new Set<string>([
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'float8_e4m3fn',
  'float8_e5m2',
  'float8_e4m3fnuz',
  'float8_e5m2fnuz',
  'float8_e8m0fnu',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
  'complex32',
  'complex64',
  'complex128',
  'qint8',
  'quint8',
  'qint32',
] satisfies DType[]);
const known = new Set(['dtype', 'device', 'nonBlocking', 'copy', 'memoryFormat']);

function to(this: Tensor, target: string | Tensor | ToOptions, given: ToOptions = {}): Tensor {
  const named: ToOptions = isTensor(target)
    ? { dtype: target.dtype, device: target.device }
    : typeof target === 'string'
      ? { [dtypes.has(target) ? 'dtype' : 'device']: target }
      : target;
  const options = { ...named, ...given };
  const unknown = Object.keys(options).find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new TorchError(
      'torch-argument',
      `to: expected dtype, device, nonBlocking, copy or memoryFormat, found '${unknown}'`,
    );
  const { dtype, device, nonBlocking = false, copy = false, memoryFormat } = options;
  return operator('to.dtype_layout')(this, {
    ...(dtype === undefined ? {} : { dtype }),
    ...(device === undefined ? {} : { device }),
    ...(memoryFormat === undefined ? {} : { memory_format: memoryFormat }),
    non_blocking: nonBlocking,
    copy,
  }) as Tensor;
}

const casts = {
  float: 'float32',
  double: 'float64',
  half: 'float16',
  bfloat16: 'bfloat16',
  int: 'int32',
  long: 'int64',
  short: 'int16',
  char: 'int8',
  byte: 'uint8',
  bool: 'bool',
} as const satisfies Record<string, DType>;

/** Each method returns a new handle; it shares the memory if nothing has to change. */
export type CastMethods = Record<keyof typeof casts, () => Tensor> & {
  /**
   * Converts to another dtype or device: `to('bfloat16')`, `to('cuda:1', { nonBlocking: true })`,
   * `to({ dtype, device })`, or to those of another tensor. (`ops.to` is ATen's own.)
   * @throws TorchError `torch-argument` if the text is neither, `torch-operator` if the device does
   *   not exist.
   */
  to(target: DType | Tensor | ToOptions | (string & {}), options?: ToOptions): Tensor;
  cpu(): Tensor;
  /** Moves to the current CUDA device, or to `cuda:index`. */
  cuda(index?: number): Tensor;
};

Object.assign(Tensor.prototype, {
  to,
  cpu(this: Tensor): Tensor {
    return this.to('cpu');
  },
  cuda(this: Tensor, index?: number): Tensor {
    return this.to(index === undefined ? 'cuda' : `cuda:${index}`);
  },
});

for (const [name, dtype] of Object.entries(casts)) {
  Object.assign(Tensor.prototype, {
    [name](this: Tensor): Tensor {
      return this.to({ dtype });
    },
  });
}
