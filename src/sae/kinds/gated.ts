/**
 * Gated SAE (Rajamanoharan et al., "Improving Dictionary Learning with Gated Sparse Autoencoders",
 * 2024).
 *
 *   a = W_e (x − b_pre); z = 1[a + b_gate > 0] · relu(exp(r_mag) · a + b_mag); x̂ = W_d z + b_pre
 */
import { ops, scope, type Tensor } from '../../torch/index.js';
import { override, type ActivationFunction, type Latents, type Sparsity } from '../latents.js';
import { dictionaryForm, dictionaryTensors, type Kind } from './kind.js';

export class Gate implements ActivationFunction {
  readonly #gateBias: Tensor; // [m]
  readonly #magnitudeBias: Tensor; // [m]
  readonly #scale: Tensor; // [m]: exp(r_mag)

  /** Takes the tensors over. */
  constructor(tensors: { gateBias: Tensor; magnitudeBias: Tensor; logScale: Tensor }) {
    this.#gateBias = tensors.gateBias;
    this.#magnitudeBias = tensors.magnitudeBias;
    this.#scale = tensors.logScale.exp();
    tensors.logScale.dispose();
  }

  apply(a: Tensor, sparsity: Sparsity): Latents {
    return scope(() => {
      const gate = a.add(this.#gateBias).gt(0);
      const magnitude = ops.addcmul(this.#magnitudeBias, this.#scale, a).relu_();
      return override(magnitude.mul_(gate), sparsity);
    });
  }

  dispose(): void {
    for (const owned of [this.#gateBias, this.#magnitudeBias, this.#scale]) owned.dispose();
  }
}

export const gated = {
  kind: 'Gated' as const,
  summary: {
    en: 'one path decides which latents fire, another how strongly',
    zh: '一条通路决定哪些潜变量激活，另一条决定强度',
  },
  group: 'standard',
  layer: 'required',
  hasK: false,
  hasRouting: false,
  sizesFrom: 'encoder.weight',
  tensors: (sizes) => dictionaryTensors(sizes, ['gate_bias', 'mag_bias', 'r_mag']),
  form: (sizes) =>
    dictionaryForm(
      sizes,
      { kind: 'gated', gateBias: 'gate_bias', magnitudeBias: 'mag_bias', logScale: 'r_mag' },
      { encoderBias: false },
    ),
} satisfies Kind;
