/**
 * An SAE on one hook point at a time, computed as its description says:
 *
 *   x = normalization(h);   a = W_e (x − b_dec if it is subtracted) + b_enc;   z = activation(a);
 *   x̂ = W_d z + b_dec
 *
 * If the choice is made under the decoder's norms, these are multiplied into the encoder on
 * loading.
 */
import { keep, ops, scope, type Tensor } from '../torch/index.js';
import { activationFunction } from './activation.js';
import type { OnePlaceForm, Weight } from './description.js';
import {
  Decoder,
  divideByNorms,
  smallestNorm,
  type ActivationFunction,
  type Latents,
  type Sparsity,
} from './latents.js';
import { MatchingPursuit } from './matching-pursuit.js';
import { inputNormalization, type InputNormalization } from './normalization.js';
import type { Products } from './product.js';
import { ComputingSAE, type LatentRows, type Making, type TakeTensor } from './sae.js';

/** A matrix of the file as [d, m] (encoder) or [m, d] (decoder). */
export function oriented({ tensor, transpose, factor }: Weight, take: TakeTensor): Tensor {
  const stored = take(tensor);
  const turned = transpose ? stored.t() : stored;
  return factor === undefined ? turned : turned.mul(factor);
}

export class Dictionary extends ComputingSAE {
  readonly form: OnePlaceForm['form'];
  readonly normalization: InputNormalization;
  readonly #encoder: Tensor; // [m, d]
  readonly #encoderBias: Tensor | null; // [m]
  readonly #decoderBias: Tensor | null; // [d]
  readonly #decoder: Decoder; // [d, m]
  readonly #activation: ActivationFunction;
  /** Whether its activation reads the input itself. */
  readonly #pursues: boolean;
  readonly #subtracts: boolean;
  readonly #glu: { weight: Tensor; bias: Tensor } | null; // [m, d], [m]
  /** Norms by which latents are divided after the choice; null if they keep them. */
  readonly #norms: Tensor | null; // [m]
  readonly #products: Products;
  #shift: Tensor | null = null; // [m]: −W_e b_dec + b_enc

  constructor(form: OnePlaceForm, making: Making) {
    super(form, making.identity);
    const { take, products } = making;
    const { encoderBias, decoderBias, decoderBiasFactor = 1, decoderNorm, glu } = form;
    this.form = form.form;
    this.normalization = inputNormalization(form.normalization, { centered: form.centered });
    this.#subtracts = form.subtractDecoderBias && decoderBias !== null;
    this.#products = products;
    // Tensors that are only passed through, such as a weight whose transpose is kept, are freed
    // with the scope's end.
    const parts = scope(() => {
      const rows = oriented(form.decoder, take); // [m, d]
      const stored = decoderBias === null ? null : take(decoderBias); // [d]
      const decoderShift =
        decoderBiasFactor === 1 ? stored : (stored?.mul(decoderBiasFactor) ?? null);
      const columns = oriented(form.encoder, take); // [d, m]
      const bias = encoderBias === null ? null : take(encoderBias); // [m]
      const plain = { encoder: columns.t(), decoder: rows.t(), decoderShift, bias, norms: null };
      if (decoderNorm === 'none') return plain;
      const norms = ops.linalg_vector_norm(rows, 2, [-1]).clamp_min(smallestNorm); // [m]
      const scaled = { encoder: columns.mul(norms).t(), bias: bias?.mul(norms) ?? null };
      return decoderNorm === 'latents'
        ? { ...plain, ...scaled, decoder: rows.div(norms.unsqueeze(-1)).t() }
        : { ...plain, ...scaled, norms };
    });
    this.#encoder = parts.encoder;
    this.#encoderBias = parts.bias;
    this.#decoderBias = parts.decoderShift;
    this.#norms = parts.norms;
    this.#decoder = new Decoder(parts.decoder, products);
    this.#glu =
      glu === null
        ? null
        : { weight: scope(() => oriented(glu.weight, take).t()), bias: take(glu.bias) };
    const { activation } = form;
    this.#pursues = activation.kind === 'matching-pursuit';
    this.#activation =
      activation.kind === 'matching-pursuit'
        ? new MatchingPursuit(activation, this.#encoder, products)
        : activationFunction(activation, take);
  }

  /** Whether latents of a token depend on the tokens before it in its sequence. */
  get looksBack(): boolean {
    return this.form === 'temporal';
  }

  preactivate(x: Tensor, _T?: number): Tensor {
    if (this.#pursues) return this.#subtracts ? x.sub(this.#decoderBias!) : x.clone();
    const a = this.#encode(x); // [N, m]
    if (this.#glu === null) return a;
    const input = this.#subtracts ? x.sub(this.#decoderBias!) : x;
    return a.mul(this.#products.linear(input, this.#glu.weight, this.#glu.bias).sigmoid());
  }

  #encode(x: Tensor): Tensor {
    const { linear, splitsFactors } = this.#products;
    if (!this.#subtracts) return linear(x, this.#encoder, this.#encoderBias);
    if (!splitsFactors) return linear(x.sub(this.#decoderBias!), this.#encoder, this.#encoderBias);
    // W_e x − W_e b_dec: the output of a bfloat16 model is one part itself, as long as nothing is
    // subtracted from it.
    this.#shift ??= keep(
      scope(() => {
        const shift = ops.mv(this.#encoder, this.#decoderBias!).neg();
        return this.#encoderBias === null ? shift : this.#encoderBias.add(shift);
      }),
    );
    return linear(x, this.#encoder, this.#shift);
  }

  protected activateAll(a: Tensor, sparsity: Sparsity): Latents {
    const latents = this.#activation.apply(a, sparsity);
    return this.#norms === null ? latents : divideByNorms(latents, this.#norms);
  }

  decode(z: Latents): Tensor {
    return this.#decoder.apply(z, this.#decoderBias); // [N, d]
  }

  /**
   * Weights of each latent, up to a factor above 0 of each row; views: [m, d]. The SAE keeps them.
   */
  get weightRows(): { encoder: Tensor; decoder: Tensor } {
    return { encoder: this.#encoder, decoder: this.#decoder.rows };
  }

  override latentRows(): LatentRows {
    return {
      encoder: [this.#encoder.narrow(0, 0, this.m)],
      decoder: [this.#decoder.latentRows()],
      encoderDivisor: this.#norms?.narrow(0, 0, this.m) ?? null,
      sharesSpace: this.form !== 'transcoder',
    };
  }

  dispose(): void {
    const tensors = [this.#encoder, this.#encoderBias, this.#decoderBias, this.#norms, this.#shift];
    for (const owned of [...tensors, this.#glu?.weight, this.#glu?.bias]) owned?.dispose();
    this.#decoder.dispose();
    this.#activation.dispose();
  }
}
