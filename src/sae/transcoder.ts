/**
 * A transcoder (Dunefsky et al. 2024, arXiv:2406.11944): a dictionary that predicts another site
 * than it reads, mostly the output of an MLP from its input. With a skip connection (Paulo et al.
 * 2025, arXiv:2501.18823) a linear map of the input is added:
 *
 *   z = activation(W_e x + b_enc);   ŷ = W_d z + b_dec + W_skip h
 */
import { keep, scope, type Tensor } from '../torch/index.js';
import type { TranscoderForm } from './description.js';
import { Dictionary, oriented } from './dictionary.js';
import type { Latents } from './latents.js';
import { OpenSkip } from './open-skip.js';
import type { Products } from './product.js';
import type { Making } from './sae.js';

export class Transcoder extends Dictionary {
  /** Width of the site that it predicts. */
  readonly dOut: number;
  /** Orientation of the skip connection, if the file does not tell. */
  readonly openSkip: OpenSkip;
  #skip: Tensor | null; // [dOut, d]
  /** Number that the decoder's output is divided by. */
  readonly #factor: number;
  readonly #linear: Products['linear'];

  constructor(form: TranscoderForm, making: Making) {
    super(form, making);
    const { skip, normalization, skipIsOpen = false } = form;
    this.openSkip = new OpenSkip(skipIsOpen && skip !== null);
    this.dOut = form.dOut;
    this.#skip = skip === null ? null : scope(() => oriented(skip, making.take).t());
    this.#factor = normalization.kind === 'scale' ? normalization.factor : 1;
    this.#linear = making.products.linear;
  }

  /**
   * The output of the skip connection: h [N, d] → [N, dOut]; null without one.
   * @param h the activations that are read, in the SAE's dtype.
   */
  skip(h: Tensor, { transposed = false } = {}): Tensor | null {
    if (this.#skip === null) return null;
    return this.#linear(h, transposed ? this.#skip.t() : this.#skip, null);
  }

  /** Turns the skip connection: from now on {@link skip} multiplies by the transpose. */
  turnSkip(): void {
    const before = this.#skip!;
    this.#skip = keep(before.t());
    before.dispose();
  }

  /** ŷ [N, dOut] of latents, with what {@link skip} gave. */
  predict(z: Latents, skipped: Tensor | null): Tensor {
    return scope(() => {
      const decoded = this.decode(z);
      const own = this.#factor === 1 ? decoded : decoded.div(this.#factor);
      return skipped === null ? own : own.add(skipped);
    });
  }

  override dispose(): void {
    super.dispose();
    this.#skip?.dispose();
  }
}
