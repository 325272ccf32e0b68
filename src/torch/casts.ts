/** Short names for `to`: other dtypes, other devices. */
import { Tensor, type DType } from './tensor.js';

const dtypes = {
  float: 'float32', double: 'float64', half: 'float16', bfloat16: 'bfloat16', int: 'int32', long: 'int64', short: 'int16', char: 'int8', byte: 'uint8', bool: 'bool',
} as const satisfies Record<string, DType>;

/** Each returns a tensor of its own handle; where nothing has to change it shares the memory. */
export type CastMethods = Record<keyof typeof dtypes, () => Tensor> & {
  cpu(): Tensor;
  /** On the current CUDA device, or on `cuda:index`. */
  cuda(index?: number): Tensor;
};

for (const [name, dtype] of Object.entries(dtypes)) {
  Object.assign(Tensor.prototype, {
    [name](this: Tensor): Tensor {
      return this.to({ dtype });
    },
  });
}

Object.assign(Tensor.prototype, {
  cpu(this: Tensor): Tensor {
    return this.to({ device: 'cpu' });
  },
  cuda(this: Tensor, index?: number): Tensor {
    return this.to({ device: index === undefined ? 'cuda' : `cuda:${index}` });
  },
});
