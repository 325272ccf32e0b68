/**
 * Zero ablation of a whole site. With the residual stream zero at every position, all positions
 * carry the same vector from there on (attention averages equal values), so one position stands for
 * all: a pass over one token gives the next-token distribution of every position, for every text.
 */
import type { LanguageModel } from '../../lm/index.js';
import { scope, zeros, type Tensor } from '../../torch/index.js';
import { runLanes } from './lanes.js';

export class ZeroAblation {
  readonly #logProbabilities = new Map<number, Tensor>(); // [V]

  /** `layers`: the sites that are ever set to zero. */
  constructor(model: LanguageModel, layers: readonly number[]) {
    if (layers.length === 0) return;
    const kept = scope(() => {
      const context = model.context([1], 1);
      const { hidden, order } = runLanes({
        model,
        context,
        lanesPerCall: layers.length,
        lanes: layers.map((start) => ({
          start,
          state: zeros([1, 1, model.width], { dtype: model.dtype, device: model.device }),
          zero: true,
          targets: [],
        })),
      });
      const logits = model.head(hidden.reshape([-1, model.width])); // [n, V]
      context.dispose();
      return { order, rows: logits.log_softmax(-1, 'float32').unbind(0) };
    });
    kept.order.forEach((lane, n) => this.#logProbabilities.set(layers[lane]!, kept.rows[n]!));
  }

  /** Cross-entropy of the labels [N] with that site at zero: [N]. */
  crossEntropy(layer: number, labels: Tensor): Tensor {
    return this.#logProbabilities.get(layer)!.index_select(0, labels).neg();
  }

  dispose(): void {
    for (const held of this.#logProbabilities.values()) held.dispose();
  }
}
