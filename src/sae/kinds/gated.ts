/**
 * Gated SAE (Rajamanoharan et al., "Improving Dictionary Learning with Gated Sparse Autoencoders",
 * 2024).
 *
 *   a = W_e (x − b_pre); z = 1[a + b_gate > 0] · relu(exp(r_mag) · a + b_mag); x̂ = W_d z + b_pre
 */
import { ops, scope, type Tensor } from '../../torch/index.js';
import { override, type Latents, type Sparsity } from '../latents.js';
import { LinearEncoder } from '../linear-encoder.js';
import { need, type SAE, type SaeTensors } from '../sae.js';

export class Gated implements SAE {
  readonly kind = 'Gated';
  readonly k = null;
  readonly d: number;
  readonly m: number;
  readonly #linear: LinearEncoder;
  readonly #gateBias: Tensor; // [m]
  readonly #magBias: Tensor; // [m]
  readonly #magScale: Tensor; // [m]: exp(r_mag)

  constructor(tensors: SaeTensors) {
    this.#linear = new LinearEncoder(tensors);
    this.#gateBias = need(tensors, 'gate_bias');
    this.#magBias = need(tensors, 'mag_bias');
    const logScale = need(tensors, 'r_mag');
    this.#magScale = logScale.exp();
    logScale.dispose();
    this.d = this.#linear.d;
    this.m = this.#linear.m;
  }

  preactivate(x: Tensor): Tensor {
    return this.#linear.encode(x, null); // [N, m]
  }

  activate(a: Tensor, sparsity: Sparsity): Latents {
    return scope(() => {
      const gate = a.add(this.#gateBias).gt(0);
      const magnitude = ops.addcmul(this.#magBias, this.#magScale, a).relu_();
      return override(magnitude.mul_(gate), sparsity);
    });
  }

  decode(z: Latents): Tensor {
    return this.#linear.decode(z);
  }

  dispose(): void {
    for (const owned of [this.#linear, this.#gateBias, this.#magBias, this.#magScale])
      owned.dispose();
  }
}
