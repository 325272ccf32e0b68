/**
 * A cross-layer transcoder (Ameisen et al. 2025, "Circuit Tracing") or weakly causal crosscoder
 * (Lindsey et al. 2024, "Sparse Crosscoders") over n layers. Latents that read layer l write to
 * layer l and to all after it:
 *
 *   z_l = activation(W_e^l x_l + b_enc^l);   ŷ_ℓ = Σ_{l ≤ ℓ} W_d^{l→ℓ} z_l + b_dec^ℓ + W_skip^ℓ x_ℓ
 */
import { keep, ops, scope, type Tensor } from '../torch/index.js';
import { activationFunction } from './activation.js';
import type { CrossLayerForm, CrossLayerPart } from './description.js';
import { oriented } from './dictionary.js';
import {
  Decoder,
  denseValues,
  type ActivationFunction,
  type Latents,
  type Override,
  type Sparsity,
} from './latents.js';
import { OpenSkip } from './open-skip.js';
import type { Products } from './product.js';
import { ComputingSAE, type Making } from './sae.js';

/** @throws Error for a prefix, which the latents of several layers do not have. */
function sparsityIn(override: Override): Sparsity {
  if (override !== null && 'prefix' in override)
    throw new Error('the latents of several layers have no prefix');
  return override;
}

/** The weights of one layer. */
class Part {
  readonly encoder: Tensor; // [m / n, d]
  readonly encoderBias: Tensor; // [m / n]
  readonly decoderBias: Tensor; // [d]
  readonly activation: ActivationFunction;
  /** Decoders of its own layer and those after it. */
  readonly decoders: readonly Decoder[]; // [d, m / n] each
  skip: Tensor | null; // [d, d]

  constructor(part: CrossLayerPart, at: { layer: number; of: number }, making: Making) {
    const { take, products } = making;
    const parts = scope(() => {
      const { tensor, first } = part.decoder;
      const rows = take(tensor); // [m / n, layers, d]
      return {
        encoder: oriented(part.encoder, take).t(),
        skip: part.skip === null ? null : oriented(part.skip, take).t(),
        decoders: Array.from({ length: at.of - at.layer }, (_, i) =>
          rows.select(1, at.layer - first + i).t(),
        ),
      };
    });
    this.encoder = parts.encoder;
    this.skip = parts.skip;
    this.decoders = parts.decoders.map((weight) => new Decoder(weight, products));
    this.encoderBias = take(part.encoderBias);
    this.decoderBias = take(part.decoderBias);
    this.activation = activationFunction(part.activation, take);
  }

  dispose(): void {
    for (const owned of [this.encoder, this.encoderBias, this.decoderBias, this.skip])
      owned?.dispose();
    for (const decoder of this.decoders) decoder.dispose();
    this.activation.dispose();
  }
}

/** Layers side by side: n × [N, w] → [N, n, w]. */
const sideBySide = (layers: readonly Tensor[]): Tensor => ops.stack(layers, 1);

export class CrossLayer extends ComputingSAE {
  readonly form = 'cross-layer';
  /** Number of layers. */
  readonly n: number;
  /** Orientation of the skip connections, if the file does not tell. */
  readonly openSkip: OpenSkip;
  readonly #parts: readonly Part[];
  readonly #products: Products;

  constructor(form: CrossLayerForm, making: Making) {
    super(form, making.identity);
    this.n = form.layers.length;
    const hasSkip = form.layers.some(({ skip }) => skip !== null);
    this.openSkip = new OpenSkip(form.skipIsOpen === true && hasSkip);
    this.#products = making.products;
    this.#parts = form.layers.map(
      (part, layer) => new Part(part, { layer, of: form.layers.length }, making),
    );
  }

  /** Latents of layer `l`, from 0: x [N, d] → [N, m / n]. */
  encode(l: number, x: Tensor, override: Override): Latents {
    const { encoder, encoderBias, activation } = this.#parts[l]!;
    return activation.apply(this.#products.linear(x, encoder, encoderBias), sparsityIn(override));
  }

  /** x [N, n, d] → [N, n, m / n]. */
  preactivate(x: Tensor): Tensor {
    return sideBySide(
      this.#parts.map(({ encoder, encoderBias }, l) =>
        this.#products.linear(x.select(1, l), encoder, encoderBias),
      ),
    );
  }

  /** a [N, n, m / n] → latents of its shape. */
  protected activateAll(a: Tensor, sparsity: Sparsity): Latents {
    const each = this.#parts.map(({ activation }, l) =>
      denseValues(activation.apply(a.select(1, l), sparsity)),
    );
    return { form: 'dense', values: sideBySide(each) };
  }

  override activate(a: Tensor, override: Override): Latents {
    return super.activate(a, sparsityIn(override));
  }

  /** z [N, n, m / n] → [N, n, d], without what a skip connection adds. */
  decode(z: Latents): Tensor {
    const of = (l: number): Latents => ({ form: 'dense', values: z.values.select(1, l) });
    return sideBySide(
      this.#parts.map(({ decoderBias }, to) => {
        const written = Array.from({ length: to + 1 }, (_, l) => this.write(l, to, of(l)));
        return written.reduce((sum, one) => sum.add(one)).add(decoderBias);
      }),
    );
  }

  /** The output of the latents of layer `l` in layer `to`, l or one after it: [N, d]. */
  write(l: number, to: number, z: Latents): Tensor {
    return this.#parts[l]!.decoders[to - l]!.apply(z, null);
  }

  /** ŷ of layer `l` from the sum of what was written to it, and from what it reads: [N, d]. */
  predict(l: number, written: Tensor, x: Tensor): Tensor {
    return scope(() => {
      const own = written.add(this.#parts[l]!.decoderBias);
      const skipped = this.skip(l, x);
      return skipped === null ? own : own.add(skipped);
    });
  }

  /** The output of the skip connection of layer `l`: [N, d]; null without one. */
  skip(l: number, x: Tensor, { transposed = false } = {}): Tensor | null {
    const { skip } = this.#parts[l]!;
    if (skip === null) return null;
    return this.#products.linear(x, transposed ? skip.t() : skip, null);
  }

  /** Turns the skip connections: from now on they multiply by their transposes. */
  turnSkip(): void {
    for (const part of this.#parts) {
      const before = part.skip;
      if (before === null) continue;
      part.skip = keep(before.t());
      before.dispose();
    }
  }

  dispose(): void {
    for (const part of this.#parts) part.dispose();
  }
}

/**
 * ŷ of every layer, in order, while the latents are computed: what is written to later layers is
 * kept, whatever scopes end, until they are read or this is disposed.
 */
export class LayerSums {
  readonly #sums: (Tensor | null)[]; // n × [N, d]

  constructor(private readonly sae: CrossLayer) {
    this.#sums = Array.from({ length: sae.n }, () => null);
  }

  /** Adds the latents of layer `l`; gives ŷ of that layer, the caller's. */
  add(l: number, z: Latents, x: Tensor): Tensor {
    for (let to = l; to < this.sae.n; to++) {
      const written = this.sae.write(l, to, z);
      const before = this.#sums[to]!;
      if (before === null) this.#sums[to] = keep(written);
      else {
        before.add_(written);
        written.dispose();
      }
    }
    const sum = this.#sums[l]!;
    this.#sums[l] = null;
    const predicted = this.sae.predict(l, sum, x);
    sum.dispose();
    return predicted;
  }

  dispose(): void {
    for (const sum of this.#sums) sum?.dispose();
  }
}
