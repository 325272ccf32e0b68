/**
 * Vanilla SAE (Bricken et al., "Towards Monosemanticity", 2023; Cunningham et al., 2023).
 *
 *   z = relu(W_e (x − b_pre) + b);   x̂ = W_d z + b_pre
 */
import type { Tensor } from '../../torch/index.js';
import { override, type Latents, type Sparsity } from '../latents.js';
import { LinearEncoder } from '../linear-encoder.js';
import { need, type SAE, type SaeTensors } from '../sae.js';

export class Vanilla implements SAE {
  readonly kind = 'Vanilla';
  readonly k = null;
  readonly d: number;
  readonly m: number;
  readonly #linear: LinearEncoder;
  readonly #bias: Tensor; // [m]

  constructor(tensors: SaeTensors) {
    this.#linear = new LinearEncoder(tensors);
    this.#bias = need(tensors, 'latent_bias');
    this.d = this.#linear.d;
    this.m = this.#linear.m;
  }

  preactivate(x: Tensor): Tensor {
    return this.#linear.encode(x, this.#bias); // [N, m]
  }

  activate(a: Tensor, sparsity: Sparsity): Latents {
    return override(a.relu(), sparsity);
  }

  decode(z: Latents): Tensor {
    return this.#linear.decode(z);
  }

  dispose(): void {
    this.#linear.dispose();
    this.#bias.dispose();
  }
}
