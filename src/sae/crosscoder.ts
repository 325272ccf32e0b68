/**
 * A crosscoder over n sites, layers of a model or models:
 *
 *   a = Σ_j W_e^j x_j + b;   z = activation(a);   x̂_j = W_d^j z + b_j
 *
 * Under a decoder norm each site decides by itself, on a · ‖W_d^j‖; the latents are then [N, n, m].
 */
import { ops, scope, type Tensor } from '../torch/index.js';
import { activationFunction } from './activation.js';
import type { CrosscoderForm, SiteMatrices } from './description.js';
import {
  Decoder,
  denseValues,
  smallestNorm,
  type ActivationFunction,
  type Latents,
  type Sparsity,
} from './latents.js';
import { inputNormalization, type InputNormalization } from './normalization.js';
import type { Products } from './product.js';
import { ComputingSAE, type LatentRows, type Making, type TakeTensor } from './sae.js';

/** The matrices of the sites: n × [d, m] (encoder) or n × [m, d] (decoder). */
function matricesOf(matrices: SiteMatrices, n: number, take: TakeTensor): Tensor[] {
  if ('tensors' in matrices)
    return matrices.tensors.map((name) => (matrices.transpose ? take(name).t() : take(name)));
  const stored = take(matrices.tensor);
  return Array.from({ length: n }, (_, j) => stored.select(matrices.sitesAt, j));
}

export class Crosscoder extends ComputingSAE {
  readonly form = 'crosscoder';
  /** Number of sites read and written. */
  readonly R: number;
  /** Normalization of each site. */
  readonly normalizations: readonly InputNormalization[];
  readonly #encoders: readonly Tensor[]; // R × [m, d]
  readonly #encoderBias: Tensor; // [m]
  readonly #decoders: readonly Decoder[]; // R × [d, m]
  readonly #decoderBiases: readonly Tensor[] | null; // R × [d]
  readonly #activation: ActivationFunction;
  /** Norms of each site's decoder rows; null if all sites share one choice. */
  readonly #norms: readonly Tensor[] | null; // R × [m]
  readonly #products: Products;

  constructor(form: CrosscoderForm, making: Making) {
    super(form, making.identity);
    const { take, products } = making;
    this.R = form.sites;
    this.#products = products;
    this.normalizations = form.normalizations.map((one) => inputNormalization(one));
    const parts = scope(() => {
      const rows = matricesOf(form.decoder, form.sites, take); // R × [m, d]
      const bias = take(form.encoderBias); // [m] or [R, m]
      return {
        encoders: matricesOf(form.encoder, form.sites, take).map((one) => one.t()),
        decoders: rows.map((one) => one.t()),
        biases: form.decoderBias === null ? null : take(form.decoderBias).unbind(0),
        bias: bias.shape.length === 1 ? bias : bias.sum([0]),
        norms:
          form.decoderNorm === 'none'
            ? null
            : rows.map((one) => ops.linalg_vector_norm(one, 2, [-1]).clamp_min(smallestNorm)),
      };
    });
    this.#encoders = parts.encoders;
    this.#encoderBias = parts.bias;
    this.#decoders = parts.decoders.map((decoder) => new Decoder(decoder, products));
    this.#decoderBiases = parts.biases;
    this.#norms = parts.norms;
    this.#activation = activationFunction(form.activation, take);
  }

  /** x [N, R, d] → [N, m]. */
  preactivate(x: Tensor): Tensor {
    const { linear, addLinear } = this.#products;
    let sum = linear(x.select(1, 0), this.#encoders[0]!, this.#encoderBias);
    for (let j = 1; j < this.R; j++) sum = addLinear(sum, x.select(1, j), this.#encoders[j]!);
    return sum;
  }

  /** [N, m], or [N, R, m] if each site decides by itself. */
  protected activateAll(a: Tensor, sparsity: Sparsity): Latents {
    if (this.#norms === null) return this.#activation.apply(a, sparsity);
    const each = this.#norms.map((norms) =>
      denseValues(this.#activation.apply(a.mul(norms), sparsity)).div(norms),
    );
    return { form: 'dense', values: ops.stack(each, 1) };
  }

  /** z → x̂ [N, R, d]. */
  decode(z: Latents): Tensor {
    const at = (j: number): Latents =>
      this.#norms === null ? z : { form: 'dense', values: z.values.select(1, j) };
    const each = this.#decoders.map((decoder, j) =>
      decoder.apply(at(j), this.#decoderBiases?.[j] ?? null),
    );
    return ops.stack(each, 1);
  }

  /** One set of latents [N, m] for counting: a latent is active if it is active on any site. */
  shared(z: Latents): Latents {
    return this.#norms === null ? z : { form: 'dense', values: z.values.abs().amax([1]) };
  }

  /** The rows of all sites side by side. */
  override latentRows(): LatentRows {
    return {
      encoder: this.#encoders.map((one) => one.narrow(0, 0, this.m)),
      decoder: this.#decoders.map((one) => one.latentRows()),
      encoderDivisor: null,
      sharesSpace: true,
    };
  }

  dispose(): void {
    for (const owned of [
      ...this.#encoders,
      this.#encoderBias,
      ...this.#decoders,
      ...(this.#decoderBiases ?? []),
      ...(this.#norms ?? []),
      this.#activation,
    ])
      owned.dispose();
  }
}
