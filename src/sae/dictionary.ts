/**
 * An SAE of a published format, computed as its description says
 * (description.ts):
 *
 *   x = normalization(h); a = W_e (x − b_dec if it is subtracted) + b_enc; z = activation(a); x̂ =
 *   W_d z + b_dec
 *
 * Where the choice is made under the decoder's norms, these are multiplied into the encoder when it
 * is loaded.
 */
import type { Activation, SaeDescription, Weight } from './formats/recognise.js';
import type { SaeKind } from '../schema/request.js';
import { ops, scope, type Tensor } from '../torch/index.js';
import type { InputNormalization } from './input.js';
import { Decoder, type Latents, type Sparsity } from './latents.js';
import { linear } from './product.js';
import type { SAE } from './sae.js';
import {
  activationFunction,
  mapValues,
  type ActivationFunction,
  type TakeTensor,
} from './activation.js';
import { inputNormalization } from './normalization.js';

/** Below it a decoder row is taken for a latent that writes nothing. */
export const smallestNorm = 1e-30;

/** Latents [N, m], each divided by its norm [m]. */
export function divideByNorms(latents: Latents, norms: Tensor): Latents {
  if (latents.form === 'dense') return mapValues(latents, (values) => values.div(norms));
  const own = norms.index_select(0, latents.indices.reshape([-1])).reshape(latents.indices.shape);
  return mapValues(latents, (values) => values.div(own));
}

/** A matrix of the file as [d, m] (encoder) or [m, d] (decoder). */
function oriented({ tensor, transpose, factor }: Weight, take: TakeTensor): Tensor {
  const stored = take(tensor);
  const turned = transpose ? stored.t() : stored;
  return factor === undefined ? turned : turned.mul(factor);
}

export class PublishedSAE implements SAE {
  readonly kind: SaeKind;
  readonly d: number;
  readonly m: number;
  readonly k: number | null;
  readonly format: string;
  readonly hookPoint: string | null;
  readonly activation: Activation['kind'];
  readonly normalization: InputNormalization;
  readonly #encoder: Tensor; // [m, d]
  readonly #encoderBias: Tensor | null; // [m]
  readonly #decoderBias: Tensor | null; // [d]
  readonly #decoder: Decoder; // [d, m]
  readonly #activation: ActivationFunction;
  readonly #subtracts: boolean;
  readonly #glu: { weight: Tensor; bias: Tensor } | null; // [m, d], [m]
  /** By which latents are divided after the choice; null where they keep it. */
  readonly #norms: Tensor | null; // [m]

  /** `take` gives tensors of the file, which this then owns. */
  constructor(description: SaeDescription, take: TakeTensor, kind: SaeKind) {
    const {
      d,
      m,
      source,
      hookPoint,
      activation,
      encoder,
      decoder,
      encoderBias,
      decoderBias,
      subtractDecoderBias,
      glu,
      decoderNorm,
    } = description;
    this.kind = kind;
    this.d = d;
    this.m = m;
    this.k = activation.kind === 'topk' ? activation.k : null;
    this.format = source;
    this.hookPoint = hookPoint;
    this.activation = activation.kind;
    this.normalization = inputNormalization(description.normalization, {
      centred: description.centred,
    });
    this.#subtracts = subtractDecoderBias;
    this.#decoderBias = decoderBias === null ? null : take(decoderBias);
    const parts = scope(() => {
      const rows = oriented(decoder, take); // [m, d]
      const columns = oriented(encoder, take); // [d, m]
      const bias = encoderBias === null ? null : take(encoderBias); // [m]
      if (decoderNorm === 'none') return { rows, columns, bias, norms: null };
      const norms = ops.linalg_vector_norm(rows, 2, [-1]).clamp_min(smallestNorm); // [m]
      const scaled = { columns: columns.mul(norms), bias: bias === null ? null : bias.mul(norms) };
      return decoderNorm === 'latents'
        ? { ...scaled, rows: rows.div(norms.unsqueeze(-1)), norms: null }
        : { ...scaled, rows, norms };
    });
    this.#encoder = scope(() => parts.columns.t());
    this.#encoderBias = parts.bias;
    this.#norms = parts.norms;
    this.#decoder = new Decoder(scope(() => parts.rows.t()));
    parts.columns.dispose();
    parts.rows.dispose();
    this.#glu =
      glu === null
        ? null
        : { weight: scope(() => oriented(glu.weight, take).t()), bias: take(glu.bias) };
    this.#activation = activationFunction(activation, take);
  }

  preactivate(x: Tensor): Tensor {
    const centred = this.#subtracts && this.#decoderBias !== null ? x.sub(this.#decoderBias) : x;
    const a = linear(centred, this.#encoder, this.#encoderBias); // [N, m]
    return this.#glu === null
      ? a
      : a.mul(linear(centred, this.#glu.weight, this.#glu.bias).sigmoid());
  }

  activate(a: Tensor, sparsity: Sparsity): Latents {
    const latents = this.#activation.apply(a, sparsity);
    return this.#norms === null ? latents : divideByNorms(latents, this.#norms);
  }

  decode(z: Latents): Tensor {
    return this.#decoder.apply(z, this.#decoderBias); // [N, d]
  }

  dispose(): void {
    for (const owned of [
      this.#encoder,
      this.#encoderBias,
      this.#decoderBias,
      this.#decoder,
      this.#activation,
      this.#norms,
      this.#glu?.weight,
      this.#glu?.bias,
    ])
      owned?.dispose();
  }
}
