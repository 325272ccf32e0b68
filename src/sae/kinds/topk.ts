/**
 * TopK SAE (Gao et al., "Scaling and evaluating sparse autoencoders", 2024). Files of the RouteSAE
 * family have no ReLU, so that kept values may be negative (`signed`).
 *
 *   a = W_e (x − b_pre) + b;   z = the k largest of a;   x̂ = W_d z + b_pre
 */
import type { Tensor } from '../../torch/index.js';
import {
  keepAbove,
  keepLargest,
  keepLargestMagnitudes,
  mapValues,
  type ActivationFunction,
  type Latents,
  type Sparsity,
} from '../latents.js';
import { dictionaryForm, dictionaryTensors, type Kind } from './kind.js';

interface KeepLargestOptions {
  k: number;
  /** Whether negative values among the kept ones stay. */
  signed?: boolean;
  /** Whether the largest magnitudes are kept, with their signs. */
  byMagnitude?: boolean;
}

export class KeepLargest implements ActivationFunction {
  readonly #k: number;
  readonly #signed: boolean;
  readonly #byMagnitude: boolean;

  constructor({ k, signed = false, byMagnitude = false }: KeepLargestOptions) {
    this.#k = k;
    this.#signed = signed || byMagnitude;
    this.#byMagnitude = byMagnitude;
  }

  apply(a: Tensor, sparsity: Sparsity): Latents {
    const rectified = (values: Tensor): Tensor => (this.#signed ? values : values.relu());
    if (sparsity !== null && 'theta' in sparsity) return keepAbove(rectified(a), sparsity.theta);
    const k = sparsity?.inferK ?? this.#k;
    return this.#byMagnitude
      ? keepLargestMagnitudes(a, k)
      : mapValues(keepLargest(a, k), rectified);
  }

  dispose(): void {}
}

export const topK = {
  kind: 'TopK' as const,
  summary: {
    en: 'keeps the k largest pre-activations of one layer',
    zh: '在单层上保留 k 个最大的预激活',
  },
  group: 'routing',
  layer: 'required',
  hasK: true,
  hasRouting: false,
  sizesFrom: 'encoder.weight',
  tensors: dictionaryTensors,
  form: (sizes, { k }) => dictionaryForm(sizes, { kind: 'topk', k, signed: true }),
} satisfies Kind;
