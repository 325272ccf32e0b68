/**
 * Mixture of experts (Shazeer et al. 2017, arXiv:1701.06538): a router gives each token to a few of
 * many MLPs, whose outputs are summed with weights.
 *
 * The tokens are sorted by expert, and each expert that has tokens multiplies all of them at once.
 * An expert meets a token once, so the sum is added in the order of the experts on every device.
 */
import { ops, scope, type Tensor } from '../torch/index.js';
import type { Layer } from './layers.js';

/** Experts of N tokens, k for each. */
export interface Routes {
  weights: Tensor; // [N, k]
  experts: Tensor; // [N, k] int64
}

/** Routes of tokens x [N, d]. */
export type Router = (x: Tensor) => Routes;

/** Router that takes the largest probabilities over all experts as the weights. */
export function softmaxRouter(
  gate: Layer,
  { perToken, normalized }: { perToken: number; normalized: boolean },
): Router {
  return (x) => {
    const probabilities = gate.forward(x).softmax(-1, 'float32'); // [N, E]
    const [largest, experts] = probabilities.topk(perToken, -1);
    const weights = normalized ? largest.div(largest.sum([-1], true)) : largest;
    return { weights: weights.to({ dtype: x.dtype }), experts };
  };
}

/** Router that takes the largest scores, and their softmax as the weights. */
export function topSoftmaxRouter(gate: Layer, { perToken }: { perToken: number }): Router {
  return (x) => {
    const [largest, experts] = gate.forward(x).topk(perToken, -1);
    return { weights: largest.softmax(-1), experts };
  };
}

/** Router that takes the largest scores, and the sigmoid of each as its weight. */
export function sigmoidRouter(gate: Layer, { perToken }: { perToken: number }): Router {
  return (x) => {
    const [largest, experts] = gate.forward(x).topk(perToken, -1);
    const weights = largest.to({ dtype: 'float32' }).sigmoid();
    return { weights: weights.to({ dtype: x.dtype }), experts };
  };
}

/** An expert that every token goes to, with a weight of its own from a gate [N, 1]. */
export interface SharedExpert {
  mlp: Layer;
  /** Gate whose sigmoid is the weight; null for a weight of 1. */
  gate: Layer | null;
}

export interface MixtureLayers {
  router: Router;
  experts: readonly Layer[];
  shared: SharedExpert | null;
}

/** The side of the experts that the routes' weights multiply. */
export type Weighted = 'output' | 'input';

export class MixtureOfExperts implements Layer {
  constructor(
    private readonly layers: MixtureLayers,
    private readonly weighted: Weighted = 'output',
  ) {}

  /** [b, T, d] → [b, T, d]: the sum over all experts, the shared one included. */
  forward(x: Tensor): Tensor {
    return scope(() => {
      const tokens = x.flatten(0, -2); // [N, d]
      const sum = this.#shared(tokens);
      const { router, experts } = this.layers;
      const routes = router(tokens);
      const k = routes.experts.shape[1]!;
      const [sorted, order] = routes.experts.flatten().sort({ stable: true }); // [N·k]
      const rows = order.div(k, { rounding_mode: 'floor' }); // [N·k]: each route's token
      const weights = routes.weights.flatten().index_select(0, order).unsqueeze(1); // [N·k, 1]
      // The one number that comes back to the host: where each expert's tokens begin.
      const bounds = ops
        .searchsorted(sorted, ops.arange(experts.length + 1, { device: x.device }))
        .toArray() as number[];
      experts.forEach((expert, e) => {
        const [from, to] = [bounds[e]!, bounds[e + 1]!];
        if (from === to) return;
        scope(() => {
          const own = rows.narrow(0, from, to - from);
          const weight = weights.narrow(0, from, to - from);
          const given = tokens.index_select(0, own); // [n, d]
          const out =
            this.weighted === 'input'
              ? expert.forward(given.mul_(weight))
              : expert.forward(given).mul_(weight);
          sum.index_add_(0, own, out);
          return null;
        });
      });
      return sum.view(x.shape);
    });
  }

  /** The shared expert's output, [N, d]; zeros if there is none. */
  #shared(tokens: Tensor): Tensor {
    const { shared } = this.layers;
    if (shared === null) return tokens.zeros_like();
    const out = shared.mlp.forward(tokens);
    return shared.gate === null ? out : out.mul_(shared.gate.forward(tokens).sigmoid_());
  }
}
