/**
 * JumpReLU SAE (Rajamanoharan et al., "Jumping Ahead: Improving Reconstruction Fidelity with
 * JumpReLU Sparse Autoencoders", 2024), as the RouteSAE family has it.
 *
 *   a = W_e (x − b_pre) + b;   z = a · 1[a > θ];   x̂ = W_d z + b_pre
 */
import type { Tensor } from '../../torch/index.js';
import { override, type Latents, type Sparsity } from '../latents.js';
import { LinearEncoder } from '../linear-encoder.js';
import { need, type SAE, type SaeTensors } from '../sae.js';

export class JumpReLU implements SAE {
  readonly kind = 'JumpReLU';
  readonly k = null;
  readonly d: number;
  readonly m: number;
  readonly #linear: LinearEncoder;
  readonly #bias: Tensor; // [m]
  readonly #threshold: Tensor; // [m]

  constructor(tensors: SaeTensors) {
    this.#linear = new LinearEncoder(tensors);
    this.#bias = need(tensors, 'latent_bias');
    this.#threshold = need(tensors, 'threshold');
    this.d = this.#linear.d;
    this.m = this.#linear.m;
  }

  preactivate(x: Tensor): Tensor {
    return this.#linear.encode(x, this.#bias); // [N, m]
  }

  activate(a: Tensor, sparsity: Sparsity): Latents {
    return override(a.mul(a.gt(this.#threshold)), sparsity);
  }

  decode(z: Latents): Tensor {
    return this.#linear.decode(z);
  }

  dispose(): void {
    for (const owned of [this.#linear, this.#bias, this.#threshold]) owned.dispose();
  }
}
