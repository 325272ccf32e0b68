/**
 * Vanilla SAE (Bricken et al., "Towards Monosemanticity", 2023; Cunningham et al., "Sparse
 * Autoencoders Find Highly Interpretable Features in Language Models", 2023).
 *
 *   z = relu(W_e (x − b_pre) + b);   x̂ = W_d z + b_pre
 */
import type { Tensor } from '../../torch/index.js';
import { override, type ActivationFunction, type Latents, type Sparsity } from '../latents.js';
import { dictionaryForm, dictionaryTensors, type Kind } from './kind.js';

export class Relu implements ActivationFunction {
  constructor(private readonly overrides: 'latents' | 'preactivations' = 'latents') {}

  apply(a: Tensor, sparsity: Sparsity): Latents {
    if (sparsity === null) return { form: 'dense', values: a.relu() };
    return override(this.overrides === 'preactivations' ? a : a.relu(), sparsity);
  }

  dispose(): void {}
}

export const vanilla = {
  kind: 'Vanilla' as const,
  summary: {
    en: 'ReLU latents under an L1 penalty, one layer',
    zh: '单层，带 L1 惩罚的 ReLU 潜变量',
  },
  group: 'standard',
  layer: 'required',
  hasK: false,
  hasRouting: false,
  sizesFrom: 'encoder.weight',
  tensors: dictionaryTensors,
  form: (sizes) => dictionaryForm(sizes, { kind: 'relu' }),
} satisfies Kind;
