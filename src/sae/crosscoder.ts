/**
 * A crosscoder of a published format over n sites, layers of a model or models:
 *
 *   a = Σ_j W_e^j x_j + b;   z = activation(a);   x̂_j = W_d^j z + b_j
 *
 * OpenMOSS' decide for each site by itself, on a · ‖W_d^j‖; their latents are then [N, n, m].
 */
import type { Activation, CrosscoderDescription } from './formats/recognise.js';
import { ops, scope, type Tensor } from '../torch/index.js';
import type { InputNormalization } from './input.js';
import { Decoder, type Latents, type Sparsity } from './latents.js';
import { addLinear, linear } from './product.js';
import type { CrosscoderLike } from './sae.js';
import { activationFunction, type ActivationFunction, type TakeTensor } from './activation.js';
import { inputNormalization } from './normalization.js';
import { smallestNorm } from './dictionary.js';

/** Latents [N, m] with zeros, whatever their form. */
export function denseValues(latents: Latents): Tensor {
  if (latents.form === 'dense') return latents.values;
  const { values, indices, m } = latents;
  return ops
    .zeros([values.shape[0]!, m], { dtype: values.dtype, device: values.device })
    .scatter_(-1, indices, values);
}

export class PublishedCrosscoder implements CrosscoderLike {
  readonly kind = 'Crosscoder';
  readonly d: number;
  readonly m: number;
  readonly k: number | null;
  readonly R: number;
  readonly format: string;
  readonly hookPoint = null;
  readonly hookPoints: readonly string[] | null;
  readonly activation: Activation['kind'];
  readonly normalizations: readonly InputNormalization[];
  readonly #encoders: readonly Tensor[]; // R × [m, d]
  readonly #encoderBias: Tensor; // [m]
  readonly #decoders: readonly Decoder[]; // R × [d, m]
  readonly #decoderBiases: readonly Tensor[]; // R × [d]
  readonly #activation: ActivationFunction;
  /** Of each site; null where all share one choice. */
  readonly #norms: readonly Tensor[] | null; // R × [m]

  /** `take` gives tensors of the file, which this then owns. */
  constructor(
    {
      d,
      m,
      sites,
      source,
      hookPoints,
      activation,
      encoder,
      decoder,
      encoderBias,
      decoderBias,
      decoderNorm,
      normalizations,
    }: CrosscoderDescription,
    take: TakeTensor,
  ) {
    this.d = d;
    this.m = m;
    this.k = activation.kind === 'topk' ? activation.k : null;
    this.R = sites;
    this.format = source;
    this.hookPoints = hookPoints;
    this.activation = activation.kind;
    this.normalizations = normalizations.map((one) => inputNormalization(one));
    const each = Array.from({ length: sites }, (_, j) => j);
    const parts = scope(() => {
      const stored = take(decoder.tensor);
      // R × [m, d]
      const rows = each.map((j) => stored.select(decoder.order === 'sites first' ? 0 : 1, j));
      const matrices = take(encoder); // [R, d, m]
      const biases = take(decoderBias); // [R, d]
      const bias = take(encoderBias); // [m] or [R, m]
      return {
        encoders: each.map((j) => matrices.select(0, j).t()),
        columns: rows.map((one) => one.t()),
        biases: each.map((j) => biases.select(0, j)),
        bias: bias.shape.length === 1 ? bias : bias.sum([0]),
        norms:
          decoderNorm === 'none'
            ? null
            : rows.map((one) => ops.linalg_vector_norm(one, 2, [-1]).clamp_min(smallestNorm)),
      };
    });
    this.#encoders = parts.encoders;
    this.#encoderBias = parts.bias;
    this.#decoders = parts.columns.map((columns) => new Decoder(columns));
    this.#decoderBiases = parts.biases;
    this.#norms = parts.norms;
    this.#activation = activationFunction(activation, take);
  }

  /** x [N, R, d] → [N, m]. */
  preactivate(x: Tensor): Tensor {
    let sum = linear(x.select(1, 0), this.#encoders[0]!, this.#encoderBias);
    for (let j = 1; j < this.R; j++) sum = addLinear(sum, x.select(1, j), this.#encoders[j]!);
    return sum;
  }

  /** [N, m], or [N, R, m] where each site decides by itself. */
  activate(a: Tensor, sparsity: Sparsity): Latents {
    if (this.#norms === null) return this.#activation.apply(a, sparsity);
    return {
      form: 'dense',
      values: ops.stack(
        this.#norms.map((norms) =>
          denseValues(this.#activation.apply(a.mul(norms), sparsity)).div(norms),
        ),
        1,
      ),
    };
  }

  /** z → x̂ [N, R, d]. */
  decode(z: Latents): Tensor {
    const at = (j: number): Latents =>
      this.#norms === null ? z : { form: 'dense', values: z.values.select(1, j) };
    return ops.stack(
      this.#decoders.map((decoder, j) => decoder.apply(at(j), this.#decoderBiases[j]!)),
      1,
    );
  }

  /** A latent counts as active where it is on any site. */
  shared(z: Latents): Latents {
    return this.#norms === null ? z : { form: 'dense', values: z.values.abs().amax([1]) };
  }

  dispose(): void {
    for (const owned of [
      ...this.#encoders,
      this.#encoderBias,
      ...this.#decoders,
      ...this.#decoderBiases,
      ...(this.#norms ?? []),
      this.#activation,
    ])
      owned.dispose();
  }
}
