/** A reconstruction beside its input, as columns and vectors read it, token by token. */
import type { Tensor } from '../torch/index.js';

/** Latents of N tokens, reduced to what metrics count. A latent is active if it is not zero. */
export interface LatentCounts {
  /** Active latents of each token: [N] float64. */
  active(): Tensor;
  /**
   * Counted tokens on which each latent is active: [m] float64. `counted` is [N] bool. Null if they
   * are counted elsewhere.
   */
  firing(counted: Tensor): Tensor | null;
}

export interface Measured {
  readonly x: Tensor; // [N, d]
  readonly reconstruction: Tensor; // [N, d]
  /** Null if the latents are counted elsewhere: the layers of a crosscoder share theirs. */
  readonly latents: LatentCounts | null;
  /** Counted positions that a router sends to each layer: [R] float64. Null without a router. */
  readonly routed: ((counted: Tensor) => Tensor) | null;
  /**
   * Σ x², Σ (x̂ − x)², Σ x̂² and Σ x x̂ of each row in one pass over memory: [4, N] float64. Null
   * if the device has no such kernel.
   */
  readonly rowProducts?: ((x: Tensor, reconstruction: Tensor) => Tensor) | null;
}

/** Sums of rows: [N, d] → [N] float64. */
const total = (rows: Tensor): Tensor => rows.sum([-1], { dtype: 'float64' });

/** Values in float32 if they are of half precision: a square leaves float16's range at 256. */
const wide = (values: Tensor): Tensor =>
  values.dtype === 'float16' || values.dtype === 'bfloat16'
    ? values.to({ dtype: 'float32' })
    : values;

/**
 * Computes what several columns share, once and only if a column asks for it. Its tensors belong to
 * the scope in which a column first reads them. Squares and products are taken in float32 at least,
 * sums over d in float64, whatever dtype the SAE computes in.
 */
export class Measurement {
  readonly latents: LatentCounts | null;
  readonly routed: Measured['routed'];
  readonly #given: { x: Tensor; reconstruction: Tensor };
  #x: Tensor | undefined;
  #reconstruction: Tensor | undefined;
  #squaredInput: Tensor | undefined;
  #squaredError: Tensor | undefined;
  #squaredReconstruction: Tensor | undefined;
  readonly #rowProducts: NonNullable<Measured['rowProducts']> | null;
  #all: Tensor | undefined;

  constructor({ x, reconstruction, latents, routed, rowProducts = null }: Measured) {
    this.#given = { x, reconstruction };
    this.latents = latents;
    this.routed = routed;
    this.#rowProducts = rowProducts;
  }

  /** x: [N, d], in float32 at least. */
  get x(): Tensor {
    return (this.#x ??= wide(this.#given.x));
  }

  /** x̂: [N, d], in float32 at least. */
  get reconstruction(): Tensor {
    return (this.#reconstruction ??= wide(this.#given.reconstruction));
  }

  /** ‖x‖²: [N] float64. */
  get squaredInput(): Tensor {
    return (this.#squaredInput ??= this.#products?.select(0, 0) ?? total(this.x.mul(this.x)));
  }

  /** ‖x̂ − x‖²: [N] float64. */
  get squaredError(): Tensor {
    if (this.#squaredError !== undefined) return this.#squaredError;
    const known = this.#products?.select(0, 1);
    if (known !== undefined) return (this.#squaredError = known);
    const error = this.reconstruction.sub(this.x);
    return (this.#squaredError = total(error.mul(error)));
  }

  /** ‖x̂‖²: [N] float64. */
  get squaredReconstruction(): Tensor {
    return (this.#squaredReconstruction ??=
      this.#products?.select(0, 2) ?? total(this.reconstruction.mul(this.reconstruction)));
  }

  /** x · x̂: [N] float64. */
  get product(): Tensor {
    return this.#products?.select(0, 3) ?? total(this.x.mul(this.reconstruction));
  }

  /** All of them; null if they are not computed together. */
  get #products(): Tensor | null {
    if (this.#rowProducts === null) return null;
    return (this.#all ??= this.#rowProducts(this.x, this.reconstruction)); // [4, N]
  }
}
