/**
 * Crosscoder (Lindsey et al., "Sparse Crosscoders for Cross-Layer Features and Model Diffing",
 * 2024), as the RouteSAE reproduction has it: no pre-bias and no decoder bias.
 *
 *   z = relu(Σ_j W_e^j x_j + b);   x̂_j = W_d^j z
 */
import { ops, type Tensor } from '../../torch/index.js';
import { Decoder, keepAbove, keepLargest, type Latents, type Sparsity } from '../latents.js';
import { addLinear, linear } from '../product.js';
import { need, type SAE, type SaeTensors } from '../sae.js';

export class Crosscoder implements SAE {
  readonly kind = 'Crosscoder';
  readonly k = null;
  readonly d: number;
  readonly m: number;
  /** Layers read and written. */
  readonly R: number;
  readonly #encoders: Tensor[]; // R × [m, d]
  readonly #bias: Tensor; // [m]
  readonly #decoders: Decoder[]; // R × [d, m]

  constructor(tensors: SaeTensors, { R }: { R: number }) {
    const layers = Array.from({ length: R }, (_, j) => j);
    this.R = R;
    this.#encoders = layers.map((j) => need(tensors, `encoder.${j}.weight`));
    this.#decoders = layers.map((j) => new Decoder(need(tensors, `decoder.${j}.weight`)));
    this.#bias = need(tensors, 'latent_bias');
    [this.m, this.d] = this.#encoders[0]!.shape as [number, number];
  }

  /** x [N, R, d] → [N, m]. */
  preactivate(x: Tensor): Tensor {
    let sum = linear(x.select(1, 0), this.#encoders[0]!, this.#bias);
    for (let j = 1; j < this.R; j++) sum = addLinear(sum, x.select(1, j), this.#encoders[j]!);
    return sum;
  }

  /** An override keeps the largest, or those above theta, of the pre-activation itself. */
  activate(a: Tensor, sparsity: Sparsity): Latents {
    if (sparsity === null) return { form: 'dense', values: a.relu() };
    return 'inferK' in sparsity ? keepLargest(a, sparsity.inferK) : keepAbove(a, sparsity.theta);
  }

  /** z → x̂ [N, R, d]. */
  decode(z: Latents): Tensor {
    return ops.stack(
      this.#decoders.map((decoder) => decoder.apply(z, null)),
      1,
    );
  }

  dispose(): void {
    for (const owned of [...this.#encoders, ...this.#decoders, this.#bias]) owned.dispose();
  }
}
