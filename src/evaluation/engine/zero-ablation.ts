/**
 * Zero ablation of the residual stream at a layer. If it is zero at every position, all positions
 * carry the same vector from there on (attention averages equal values). So a pass over one token
 * gives the next-token distribution of every position of every text. If some positions are left as
 * they are, the ablation is a lane like a splice.
 */
import type { LanguageModel } from '../../lm/index.js';
import { ops, scope, zeros, type Tensor } from '../../torch/index.js';
import { everyPosition, type PositionSet } from '../positions.js';
import { runLanes, type LanePlan } from './lanes.js';
import type { Strategy, ZeroSite } from './strategies/strategy.js';

type Ablating = Pick<Strategy, 'zeroSites'>;

/** A lane whose residual stream is zero at the positions of a set. */
export interface ZeroLane extends LanePlan {
  readonly positions: PositionSet;
}

const isWhole = ({ positions }: ZeroSite): boolean => positions.key === everyPosition.key;

/** Sites that are zero at every position. */
export function wholeZeroSites(strategies: readonly Ablating[]): ZeroSite[] {
  return strategies.flatMap(({ zeroSites }) => zeroSites).filter(isWhole);
}

/** Lanes for sites that are zero at some positions: SAEs of one layer and one set share theirs. */
export function zeroLanes(strategies: readonly Ablating[]): ZeroLane[] {
  const lanes = new Map<string, ZeroLane>();
  for (const site of strategies.flatMap(({ zeroSites }) => zeroSites)) {
    if (isWhole(site)) continue;
    const { layer, positions, targets } = site;
    const key = `${layer} ${positions.key}`;
    const before = lanes.get(key)?.targets ?? [];
    lanes.set(key, { start: layer, zero: true, positions, targets: [...before, ...targets] });
  }
  return [...lanes.values()];
}

/** Zero, but the residual stream [B, T, d] at the excluded positions. */
export function zeroAt(excluded: Tensor | null, residual: Tensor): Tensor {
  return excluded === null ? ops.zeros_like(residual) : ops.where(excluded, residual, 0);
}

export class ZeroAblation {
  readonly #logProbabilities = new Map<number, Tensor>(); // [V]

  constructor(model: LanguageModel, strategies: readonly Ablating[]) {
    const layers = [...new Set(wholeZeroSites(strategies).map(({ layer }) => layer))].sort(
      (a, b) => a - b,
    );
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

  /** Cross-entropy of the labels [N] with the residual stream of the layer at zero: [N]. */
  crossEntropy(layer: number, labels: Tensor): Tensor {
    return this.#logProbabilities.get(layer)!.index_select(0, labels).neg();
  }

  dispose(): void {
    for (const held of this.#logProbabilities.values()) held.dispose();
  }
}
