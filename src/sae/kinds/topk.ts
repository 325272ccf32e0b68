/**
 * TopK SAE (Gao et al., "Scaling and evaluating sparse autoencoders", 2024), as the RouteSAE family
 * has it: no ReLU, so that kept values may be negative.
 *
 *   a = W_e (x − b_pre) + b;   z = the k largest of a;   x̂ = W_d z + b_pre
 *
 * MLSAE (Lawson et al., "Residual Stream Analysis with Multi-Layer SAEs", 2024) is the same applied
 * to each of several layers, RandomK the same on another layer.
 */
import type { SaeKind } from '../../schema/request.js';
import type { Tensor } from '../../torch/index.js';
import { keepAbove, keepLargest, type Latents, type Sparsity } from '../latents.js';
import { LinearEncoder } from '../linear-encoder.js';
import { need, type SAE, type SaeTensors } from '../sae.js';

export class TopK implements SAE {
  readonly kind: SaeKind;
  readonly d: number;
  readonly m: number;
  readonly k: number;
  readonly #linear: LinearEncoder;
  readonly #bias: Tensor; // [m]

  constructor(tensors: SaeTensors, { k, kind = 'TopK' }: { k: number; kind?: SaeKind }) {
    this.#linear = new LinearEncoder(tensors);
    this.#bias = need(tensors, 'latent_bias');
    this.kind = kind;
    this.d = this.#linear.d;
    this.m = this.#linear.m;
    this.k = k;
  }

  preactivate(x: Tensor): Tensor {
    return this.#linear.encode(x, this.#bias); // [N, m]
  }

  activate(a: Tensor, sparsity: Sparsity): Latents {
    if (sparsity === null) return keepLargest(a, this.k);
    return 'inferK' in sparsity ? keepLargest(a, sparsity.inferK) : keepAbove(a, sparsity.theta);
  }

  decode(z: Latents): Tensor {
    return this.#linear.decode(z);
  }

  dispose(): void {
    this.#linear.dispose();
    this.#bias.dispose();
  }
}
