/**
 * RouteSAE (Shi et al., "Route Sparse Autoencoder to Interpret Large Language Models", 2025): a
 * router weighs the R routed layers of each token; one shared TopK encodes what it picks.
 *
 *   p = softmax(W_r Σ_j x_j);   hard: x = x_{j*} · p_{j*}, j* = argmax p;   soft: x = Σ_j p_j x_j
 */
import { ops, type Tensor } from '../../torch/index.js';
import type { Latents, Sparsity } from '../latents.js';
import { need, type SAE, type SaeTensors } from '../sae.js';
import { TopK } from './topk.js';

export interface Routing {
  /** Weights of the layers: [N, R]. */
  p: Tensor;
  /** The layer of each token, from 0: [N] int64. */
  layer: Tensor;
  /** The weight of that layer: [N, 1]. */
  weight: Tensor;
}

export class RouteSAE implements SAE {
  readonly kind = 'RouteSAE';
  readonly d: number;
  readonly m: number;
  readonly k: number;
  /** Routed layers. */
  readonly R: number;
  readonly #router: Tensor; // [R, d]
  readonly #topk: TopK;
  readonly #aggregation: 'sum' | 'mean';

  constructor(
    tensors: SaeTensors,
    { k, aggregation = 'sum' }: { k: number; aggregation?: 'sum' | 'mean' },
  ) {
    this.#router = need(tensors, 'router.weight');
    this.#topk = new TopK(
      new Map([...tensors].map(([name, tensor]) => [name.replace(/^sae\./, ''), tensor])),
      { k },
    );
    this.#aggregation = aggregation;
    this.R = this.#router.shape[0]!;
    ({ d: this.d, m: this.m, k: this.k } = this.#topk);
  }

  /** x [N, R, d], the normalised residual streams of the routed layers. */
  route(x: Tensor): Routing {
    const summed = x.sum([1]); // [N, d]
    const p = ops
      .linear(this.#aggregation === 'mean' ? summed.div(this.R) : summed, this.#router, null)
      .softmax(-1); // [N, R]
    const [weight, layer] = ops.max(p, -1, { keepdim: true }); // [N, 1]
    return { p, layer: layer.squeeze(-1), weight };
  }

  preactivate(x: Tensor): Tensor {
    return this.#topk.preactivate(x); // [N, m]
  }

  activate(a: Tensor, sparsity: Sparsity): Latents {
    return this.#topk.activate(a, sparsity);
  }

  decode(z: Latents): Tensor {
    return this.#topk.decode(z);
  }

  dispose(): void {
    this.#router.dispose();
    this.#topk.dispose();
  }
}
