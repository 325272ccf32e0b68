/**
 * Latents of N tokens, dense or as the few that were kept: select, count, decode. A latent is
 * active if it is not zero; kept values may be negative.
 */
import { keep, kernels, ops, scope, type Tensor } from '../torch/index.js';
import type { Products } from './product.js';

export type Latents = (
  | { readonly form: 'dense'; readonly values: Tensor } // [N, m]; [N, prefix] of a prefix
  | {
      readonly form: 'sparse';
      readonly values: Tensor; // [N, k]
      readonly indices: Tensor; // [N, k] int64
      readonly m: number;
      /** Number of the first latents to which all but zeros belong; absent: m. */
      readonly prefix?: number;
    }
) & {
  /** [N, d]: what the tokens before predict of the reconstruction; absent in nearly all SAEs. */
  readonly predicted?: Tensor;
};

/** Override of an SAE's own sparsity: a number of active latents, or a threshold. */
export type Sparsity = { readonly inferK: number } | { readonly theta: number } | null;

/**
 * The change that a variant makes to the latents of an SAE: its sparsity, or the number of its
 * first latents that count. Under a prefix the latents are those of the whole SAE, zero at and
 * beyond it.
 */
export type Override = Sparsity | { readonly prefix: number };

/** The step from pre-activations to latents. */
export interface ActivationFunction {
  /** a [N, m] → latents. `sparsity` overrides the SAE's own rule. */
  apply(a: Tensor, sparsity: Sparsity): Latents;
  dispose(): void;
}

/** The k largest of each row, whatever their sign; all of them if k is m or more. */
export function keepLargest(a: Tensor, k: number): Latents {
  const m = a.shape.at(-1)!;
  if (k >= m) return { form: 'dense', values: a };
  const [values, indices] = kernels.keepLargest(a, k); // [N, k]
  return { form: 'sparse', values, indices, m };
}

/** The k of the largest magnitude in each row, with their signs; all of them if k is m or more. */
export function keepLargestMagnitudes(a: Tensor, k: number): Latents {
  const largest = keepLargest(a.abs(), k);
  return largest.form === 'dense'
    ? { form: 'dense', values: a }
    : { ...largest, values: a.gather(-1, largest.indices) };
}

/** Values above theta; the rest becomes 0. */
export function keepAbove(a: Tensor, theta: number): Latents {
  return { form: 'dense', values: a.mul(a.gt(theta)) };
}

/** The activated latents that an override keeps, for kinds without a k of their own. */
export function override(activated: Tensor, sparsity: Sparsity): Latents {
  if (sparsity === null) return { form: 'dense', values: activated };
  return 'inferK' in sparsity
    ? keepLargest(activated, sparsity.inferK)
    : keepAbove(activated, sparsity.theta);
}

/** The latents before `prefix`; the others are zero, and left out if the latents are dense. */
export function withinPrefix(latents: Latents, prefix: number): Latents {
  const { values } = latents;
  if (latents.form === 'dense')
    return prefix >= values.shape.at(-1)!
      ? latents
      : { ...latents, values: values.narrow(-1, 0, prefix) };
  if (prefix >= latents.m) return latents;
  // where, not a product: a latent that is left out may be infinite
  return { ...latents, values: ops.where(latents.indices.lt(prefix), values, 0), prefix };
}

/** The same latents with their values changed one by one. */
export function mapValues(latents: Latents, change: (values: Tensor) => Tensor): Latents {
  return { ...latents, values: change(latents.values) };
}

/** Latents with their zeros: [N, m], or [N, prefix] of dense latents of a prefix. */
export function denseValues(latents: Latents): Tensor {
  if (latents.form === 'dense') return latents.values;
  const { values, indices, m } = latents;
  const { dtype, device } = values;
  return ops.zeros([values.shape[0]!, m], { dtype, device }).scatter_(-1, indices, values);
}

/** Norm below which a decoder row belongs to a latent that writes nothing. */
export const smallestNorm = 1e-30;

/** Latents [N, m], each divided by its norm [m]. */
export function divideByNorms(latents: Latents, norms: Tensor): Latents {
  if (latents.form === 'dense') return mapValues(latents, (values) => values.div(norms));
  const { indices } = latents;
  const own = norms.index_select(0, indices.reshape([-1])).reshape(indices.shape);
  return mapValues(latents, (values) => values.div(own));
}

/**
 * Number of true flags along a dimension, in float64. Float32 holds every count below 2²⁴, and the
 * copy that a sum makes of the flags is half as large in it.
 */
const countAlong = (flags: Tensor, dim: number): Tensor =>
  flags.sum([dim], { dtype: 'float32' }).to({ dtype: 'float64' });

/** Number of active latents of each token: [N] float64. */
export function activeCounts({ values }: Latents): Tensor {
  return countAlong(values.ne(0), -1);
}

/**
 * Number of chosen tokens on which each latent is active: [m], of a prefix [prefix], float64.
 * `chosen` is [N] bool.
 */
export function firingCounts(latents: Latents, chosen: Tensor): Tensor {
  const active = latents.values.ne(0).mul(chosen.unsqueeze(-1));
  if (latents.form === 'dense') return countAlong(active, 0);
  const weights = active.to({ dtype: 'float64' }).reshape([-1]);
  const counts = ops.zeros([latents.m], { dtype: 'float64', device: weights.device });
  const all = counts.index_add_(0, latents.indices.reshape([-1]), weights);
  return latents.prefix === undefined ? all : all.narrow(0, 0, latents.prefix);
}

/** Share of the latents, m / 8, above which gathering rows is slower than a dense product. */
const denseFrom = 8;

/**
 * Decoder weights in the layouts that are needed. Dense products use the layout that was given,
 * whatever came before them: the layout decides the last bits of a product. A sparse decode needs
 * rows; unless there are dense ones too, the weights are then held as rows alone.
 */
export class Decoder {
  #weight: Tensor | null; // [d, m]
  #rows: Tensor | null = null; // [m, d]
  #hasDense = false;
  readonly #m: number;
  /** Whether the weights were given as the transpose of rows. */
  readonly #isTransposed: boolean;
  readonly #products: Products;

  constructor(weight: Tensor, products: Products) {
    this.#weight = weight;
    this.#m = weight.shape[1]!;
    this.#isTransposed = weight.strides[0] === 1 && weight.shape[0] !== 1;
    this.#products = products;
  }

  /** `W_d z + bias`: [N, d]. */
  apply(latents: Latents, bias: Tensor | null): Tensor {
    if (latents.form === 'dense') return this.#product(latents.values, bias);
    const [count, k] = latents.values.shape as [number, number];
    if (k * denseFrom > latents.m) return this.#product(denseValues(latents), bias);
    const { device } = latents.values;
    const offsets = ops.arange(0, count * k, k, { dtype: 'int64', device });
    const [sum] = ops.embedding_bag(this.#byLatent(), latents.indices.reshape([-1]), offsets, {
      mode: 0,
      per_sample_weights: latents.values.reshape([-1]),
    });
    return bias === null ? sum : sum.add(bias);
  }

  /** W_dᵀ as it lies: [m, d], a handle of the caller's. */
  latentRows(): Tensor {
    return this.#rows === null ? this.#weight!.t() : this.#rows.narrow(0, 0, this.#m);
  }

  /** z [N, m], or [N, prefix] of the first latents. */
  #product(z: Tensor, bias: Tensor | null): Tensor {
    const width = z.shape.at(-1)!;
    const weight = this.#asGiven();
    if (width === this.#m) return this.#products.linear(z, weight, bias);
    return scope(() => this.#products.linear(z, weight.narrow(1, 0, width), bias));
  }

  /** W_dᵀ as it lies now, a view: [m, d]. */
  get rows(): Tensor {
    return this.#rows ?? this.#weight!.t();
  }

  /** W_d in the layout that was given: outlives the scope it is first needed in. */
  #asGiven(): Tensor {
    this.#hasDense = true;
    this.#weight ??= keep(scope(() => this.#rows!.t().contiguous()));
    return this.#weight;
  }

  /** W_dᵀ, row-major: outlives the scope it is first needed in. */
  #byLatent(): Tensor {
    if (this.#rows === null) {
      const given = this.#weight!;
      this.#rows = keep(scope(() => given.t().contiguous()));
      if (this.#isTransposed || !this.#hasDense) {
        // A mapped tensor's pages go with it.
        given.dispose();
        this.#weight = this.#isTransposed ? keep(this.#rows.t()) : null;
      }
    }
    return this.#rows;
  }

  dispose(): void {
    this.#weight?.dispose();
    this.#rows?.dispose();
  }
}
