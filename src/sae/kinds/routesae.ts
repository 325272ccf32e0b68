/**
 * RouteSAE (Shi et al., "Route Sparse Autoencoder to Interpret Large Language Models", 2025): a
 * router weighs the R routed layers of each token; one shared TopK encodes what it picks.
 *
 *   p = softmax(W_r Σ_j x_j);   hard: x = x_{j*} · p_{j*}, j* = argmax p;   soft: x = Σ_j p_j x_j
 */
import { ops, type Tensor } from '../../torch/index.js';
import { dictionaryForm, dictionaryTensors, type Kind } from './kind.js';

export interface Routing {
  /** Weights of the layers: [N, R]. */
  p: Tensor;
  /** The layer of each token, from 0: [N] int64. */
  layer: Tensor;
  /** The weight of that layer: [N, 1]. */
  weight: Tensor;
}

/** @param x inputs of the routed layers: [N, R, d]. @param router W_r: [R, d]. */
export function route(x: Tensor, router: Tensor, aggregation: 'sum' | 'mean'): Routing {
  // In float32, whatever x is in: rounding would send tokens to other layers.
  const summed = x.sum([1], { dtype: 'float32' }); // [N, d]
  const routed = aggregation === 'mean' ? summed.div(router.shape[0]!) : summed;
  const p = ops.linear(routed, router.to({ dtype: 'float32' }), null).softmax(-1); // [N, R]
  const [weight, layer] = ops.max(p, -1, { keepdim: true }); // [N, 1]
  return { p, layer: layer.squeeze(-1), weight };
}

export const routeSae = {
  kind: 'RouteSAE' as const,
  summary: {
    en: 'a router picks, for each token, the layer that one shared TopK encodes',
    zh: '路由器为每个词元选择一层，由共享的 TopK 编码',
  },
  group: 'routing',
  layer: 'routed',
  hasK: true,
  hasRouting: true,
  sizesFrom: 'sae.encoder.weight',
  routedLayers: (shapes) => shapes.get('router.weight')?.[0] ?? null,
  tensors: (sizes) => ({
    'router.weight': [sizes.R ?? 1, sizes.d],
    ...Object.fromEntries(
      Object.entries(dictionaryTensors(sizes)).map(([name, shape]) => [`sae.${name}`, shape]),
    ),
  }),
  form: (sizes, { k, aggregation = 'sum', routing = 'hard' }) => ({
    ...dictionaryForm(sizes, { kind: 'topk', k, signed: true }, { prefix: 'sae.' }),
    form: 'routed',
    router: 'router.weight',
    aggregation,
    routing,
  }),
} satisfies Kind;
