/**
 * Latents of N tokens, dense or as the few that were kept, and what is done with them: select,
 * count, decode. A latent is active where it is not zero; kept values may be negative.
 */
import { keep, kernels, ops, type Tensor } from '../torch/index.js';
import { linear } from './product.js';

export type Latents =
  | { readonly form: 'dense'; readonly values: Tensor } // [N, m]
  | {
      readonly form: 'sparse';
      readonly values: Tensor;
      readonly indices: Tensor;
      readonly m: number;
    }; // [N, k], [N, k] int64

/** What overrides an SAE's own sparsity: the number of active latents, or a threshold. */
export type Sparsity = { readonly inferK: number } | { readonly theta: number } | null;

/** The k largest of each row, whatever their sign; all of them where k is m or more. */
export function keepLargest(a: Tensor, k: number): Latents {
  const m = a.shape.at(-1)!;
  if (k >= m) return { form: 'dense', values: a };
  const [values, indices] = kernels.keepLargest(a, k); // [N, k]
  return { form: 'sparse', values, indices, m };
}

/** Values above theta; the rest becomes 0. */
export function keepAbove(a: Tensor, theta: number): Latents {
  return { form: 'dense', values: a.mul(a.gt(theta)) };
}

/** What an override keeps of activated latents, for kinds without a k of their own. */
export function override(activated: Tensor, sparsity: Sparsity): Latents {
  if (sparsity === null) return { form: 'dense', values: activated };
  return 'inferK' in sparsity
    ? keepLargest(activated, sparsity.inferK)
    : keepAbove(activated, sparsity.theta);
}

/** Active latents of each token: [N] float64. */
export function activeCounts({ values }: Latents): Tensor {
  return values.ne(0).sum([-1], { dtype: 'float64' });
}

/** How many of the chosen tokens each latent is active on: [m] float64. `chosen` is [N] bool. */
export function firingCounts(latents: Latents, chosen: Tensor): Tensor {
  const active = latents.values.ne(0).mul(chosen.unsqueeze(-1));
  if (latents.form === 'dense') return active.sum([0], { dtype: 'float64' });
  const weights = active.to({ dtype: 'float64' }).reshape([-1]);
  return ops
    .zeros([latents.m], { dtype: 'float64', device: weights.device })
    .index_add_(0, latents.indices.reshape([-1]), weights);
}

/**
 * The rows of a TopK decode that pay over a dense product: `embedding_bag` reads k rows of W_dᵀ, a
 * matmul all m.
 */
const denseFrom = 8;

/**
 * Decoder weights in the orientation that is needed: the transposed ones, once a sparse decode has
 * made them, serve for both.
 */
export class Decoder {
  #weight: Tensor; // [d, m]: its own, or a view of #rows
  #rows: Tensor | null = null; // [m, d]

  constructor(weight: Tensor) {
    this.#weight = weight;
  }

  /** `W_d z + bias`: [N, d]. */
  apply(latents: Latents, bias: Tensor | null): Tensor {
    if (latents.form === 'dense') return linear(latents.values, this.#weight, bias);
    const [count, k] = latents.values.shape as [number, number];
    if (k * denseFrom > latents.m) {
      const dense = ops.zeros([count, latents.m], {
        dtype: latents.values.dtype,
        device: latents.values.device,
      });
      return linear(dense.scatter_(-1, latents.indices, latents.values), this.#weight, bias);
    }
    const offsets = ops.arange(0, count * k, k, { dtype: 'int64', device: latents.values.device });
    const [sum] = ops.embedding_bag(this.#byLatent(), latents.indices.reshape([-1]), offsets, {
      mode: 0,
      per_sample_weights: latents.values.reshape([-1]),
    });
    return bias === null ? sum : sum.add(bias);
  }

  /** W_dᵀ, row-major: outlives the scope it is first needed in. */
  #byLatent(): Tensor {
    if (this.#rows === null) {
      this.#rows = keep(this.#weight.t().contiguous());
      // A mapped tensor's pages go with it.
      this.#weight.dispose();
      this.#weight = keep(this.#rows.t());
    }
    return this.#rows;
  }

  dispose(): void {
    this.#weight.dispose();
    this.#rows?.dispose();
  }
}
