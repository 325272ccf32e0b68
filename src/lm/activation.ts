/** Non-linearities of MLPs, under the names that transformers' `ACT2FN` has for them. */
import type { Tensor } from '../torch/index.js';

/** A non-linearity, named by its formula: transformers has several names for some of them. */
export type MlpActivation =
  | 'silu'
  | 'gelu'
  | 'gelu_tanh'
  | 'gelu_10'
  | 'quick_gelu'
  | 'relu'
  | 'relu2'
  | 'relu6'
  | 'leaky_relu'
  | 'mish'
  | 'hardswish'
  | 'tanh'
  | 'sigmoid'
  | 'linear';

/** Activations by the names that `config.json` may give. */
export const activations: ReadonlyMap<string, MlpActivation> = new Map([
  ['silu', 'silu'],
  ['swish', 'silu'],
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['relu', 'relu'],
  ['gelu_new', 'gelu_tanh'],
  ['gelu_pytorch_tanh', 'gelu_tanh'],
  ['gelu_python_tanh', 'gelu_tanh'],
  ['gelu_fast', 'gelu_tanh'],
  ['gelu_accurate', 'gelu_tanh'],
  ['gelu_10', 'gelu_10'],
  ['quick_gelu', 'quick_gelu'],
  ['relu2', 'relu2'],
  ['relu6', 'relu6'],
  ['leaky_relu', 'leaky_relu'],
  ['mish', 'mish'],
  ['hardswish', 'hardswish'],
  ['tanh', 'tanh'],
  ['sigmoid', 'sigmoid'],
  ['linear', 'linear'],
]);

/** Applies an activation. May overwrite x, so x must be a fresh output of a layer. */
export function activate(x: Tensor, activation: MlpActivation): Tensor {
  switch (activation) {
    case 'silu':
      return x.silu_();
    case 'relu':
      return x.relu_();
    case 'gelu':
      return x.gelu_();
    case 'gelu_tanh':
      return x.gelu_({ approximate: 'tanh' });
    case 'gelu_10':
      return x.gelu_().clamp_(-10, 10);
    case 'quick_gelu':
      return x.mul_(x.mul(1.702).sigmoid_());
    case 'relu2':
      return x.relu_().square_();
    case 'relu6':
      return x.clamp_(0, 6);
    case 'leaky_relu':
      return x.leaky_relu_();
    case 'mish':
      return x.mish_();
    case 'hardswish':
      return x.hardswish_();
    case 'tanh':
      return x.tanh_();
    case 'sigmoid':
      return x.sigmoid_();
    case 'linear':
      return x;
  }
}
