/**
 * JumpReLU SAE (Rajamanoharan et al., "Jumping Ahead: Improving Reconstruction Fidelity with
 * JumpReLU Sparse Autoencoders", 2024). Files of the RouteSAE family keep negative values above a
 * negative threshold (`signed`).
 *
 *   a = W_e (x − b_pre) + b;   z = a · 1[a > θ];   x̂ = W_d z + b_pre
 */
import type { Tensor } from '../../torch/index.js';
import { override, type ActivationFunction, type Latents, type Sparsity } from '../latents.js';
import { dictionaryForm, dictionaryTensors, type Kind } from './kind.js';

export class JumpRelu implements ActivationFunction {
  readonly #threshold: Tensor; // [m], [1] or []
  readonly #signed: boolean;

  /** Takes the threshold over. */
  constructor({ threshold, signed = false }: { threshold: Tensor; signed?: boolean }) {
    this.#threshold = threshold;
    this.#signed = signed;
  }

  apply(a: Tensor, sparsity: Sparsity): Latents {
    return override((this.#signed ? a : a.relu()).mul(a.gt(this.#threshold)), sparsity);
  }

  dispose(): void {
    this.#threshold.dispose();
  }
}

export const jumpRelu = {
  kind: 'JumpReLU' as const,
  summary: {
    en: 'a learned threshold for each latent, one layer',
    zh: '单层，每个潜变量有学习到的阈值',
  },
  group: 'standard',
  layer: 'required',
  hasK: false,
  hasRouting: false,
  sizesFrom: 'encoder.weight',
  tensors: (sizes) => dictionaryTensors(sizes, ['latent_bias', 'threshold']),
  form: (sizes) =>
    dictionaryForm(sizes, {
      kind: 'jumprelu',
      threshold: { tensor: 'threshold', log: false },
      signed: true,
    }),
} satisfies Kind;
