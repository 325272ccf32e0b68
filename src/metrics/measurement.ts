/** A reconstruction beside its input, as columns and vectors read it, token by token. */
import type { Tensor } from '../torch/index.js';

/** Latents of N tokens, reduced to what metrics count. A latent is active if it is not zero. */
export interface LatentCounts {
  /** Active latents of each token: [N] float64. */
  active(): Tensor;
  /** Counted tokens on which each latent is active: [m] float64. `counted` is [N] bool. */
  firing(counted: Tensor): Tensor;
}

export interface Measured {
  readonly x: Tensor; // [N, d]
  readonly reconstruction: Tensor; // [N, d]
  /** Null if the latents are counted elsewhere: the layers of a crosscoder share theirs. */
  readonly latents: LatentCounts | null;
  /** Counted positions that a router sends to each layer: [R] float64. Null without a router. */
  readonly routed: ((counted: Tensor) => Tensor) | null;
}

/** Squared norms of rows: [N, d] → [N]. */
const squaredNorm = (rows: Tensor): Tensor => rows.mul(rows).sum([-1]);

/**
 * Computes what several columns share, once and only if a column asks for it. Its tensors belong to
 * the scope in which a column first reads them.
 */
export class Measurement implements Measured {
  readonly x: Tensor;
  readonly reconstruction: Tensor;
  readonly latents: LatentCounts | null;
  readonly routed: Measured['routed'];
  #squaredInput: Tensor | undefined;
  #squaredError: Tensor | undefined;
  #squaredReconstruction: Tensor | undefined;

  constructor({ x, reconstruction, latents, routed }: Measured) {
    this.x = x;
    this.reconstruction = reconstruction;
    this.latents = latents;
    this.routed = routed;
  }

  /** ‖x‖²: [N]. */
  get squaredInput(): Tensor {
    return (this.#squaredInput ??= squaredNorm(this.x));
  }

  /** ‖x̂ − x‖²: [N]. */
  get squaredError(): Tensor {
    return (this.#squaredError ??= squaredNorm(this.reconstruction.sub(this.x)));
  }

  /** ‖x̂‖²: [N]. */
  get squaredReconstruction(): Tensor {
    return (this.#squaredReconstruction ??= squaredNorm(this.reconstruction));
  }
}
