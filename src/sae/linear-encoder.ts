/** The part that all single-layer kinds share: `W_e (x − pre_bias)` in, `W_d z + pre_bias` out. */
import { keep, ops, scope, type Tensor } from '../torch/index.js';
import { Decoder, type Latents } from './latents.js';
import { linear, splitsFactors } from './product.js';
import { need, type SaeTensors } from './sae.js';

export class LinearEncoder {
  readonly d: number;
  readonly m: number;
  readonly #weight: Tensor; // [m, d]
  readonly #preBias: Tensor; // [d]
  readonly #decoder: Decoder;
  #shift: Tensor | null = null; // [m]

  constructor(tensors: SaeTensors) {
    this.#weight = need(tensors, 'encoder.weight');
    this.#preBias = need(tensors, 'pre_bias');
    this.#decoder = new Decoder(need(tensors, 'decoder.weight'));
    [this.m, this.d] = this.#weight.shape as [number, number];
  }

  /** `W_e (x − pre_bias) + bias`: [N, d] → [N, m]. */
  encode(x: Tensor, bias: Tensor | null): Tensor {
    if (!splitsFactors()) return linear(x.sub(this.#preBias), this.#weight, bias);
    // W_e x − W_e pre_bias: what a bfloat16 model gives is one part itself, as long as nothing is
    // subtracted from it.
    this.#shift ??= keep(scope(() => ops.mv(this.#weight, this.#preBias).neg()));
    return linear(x, this.#weight, bias === null ? this.#shift : bias.add(this.#shift));
  }

  /** `W_d z + pre_bias`: [N, d]. */
  decode(z: Latents): Tensor {
    return this.#decoder.apply(z, this.#preBias);
  }

  dispose(): void {
    this.#weight.dispose();
    this.#preBias.dispose();
    this.#shift?.dispose();
    this.#decoder.dispose();
  }
}
