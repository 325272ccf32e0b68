/**
 * Zero ablation of the residual stream at a layer. If it is zero at every position, all positions
 * carry the same vector from there on (attention averages equal values). So a pass over one token
 * gives the next-token distribution of every position of every text. If some positions are left as
 * they are, the ablation is a lane like a splice.
 */
import type { AttentionContext, LanguageModel } from '../../lm/index.js';
import { keep, ops, scope, zeros, type Tensor } from '../../torch/index.js';
import { everyPosition, type PositionSet } from '../positions.js';
import type { Traveler } from './block-sweep.js';
import { LeastLogit } from './peers/underflow.js';
import { LaneStack } from './lane-stack.js';
import type { LanePlan } from './lanes.js';
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

/** It goes through the blocks once, before or beside the first texts. */
export class ZeroAblation implements Traveler {
  readonly rounds = 1;
  readonly depth: number;
  readonly #model: LanguageModel;
  /** Layers that are zero at every position. */
  readonly #layers: readonly number[];
  readonly #logProbabilities = new Map<number, Tensor>(); // [V]
  #pass: { context: AttentionContext; stack: LaneStack } | null = null;

  constructor(model: LanguageModel, strategies: readonly Ablating[]) {
    this.#model = model;
    this.depth = model.layers;
    this.#layers = [...new Set(wholeZeroSites(strategies).map(({ layer }) => layer))].sort(
      (a, b) => a - b,
    );
  }

  /** Whether there is nothing left to compute. */
  get isDone(): boolean {
    return this.#logProbabilities.size === this.#layers.length;
  }

  streams(_: number, i: number): number {
    return this.#layers.filter((layer) => layer < i).length;
  }

  begin(): void {
    const model = this.#model;
    this.#abandon();
    const context = model.context([1], 1);
    const layers = this.#layers;
    const stack = new LaneStack({
      model,
      context,
      B: 1,
      lanesPerCall: layers.length,
      lanes: layers.map((start) => ({ start, zero: true, targets: [] })),
    });
    this.#pass = { context, stack };
    const { dtype, device } = model;
    layers.forEach((_, lane) =>
      stack.begin(lane, { state: zeros([1, 1, model.width], { dtype, device }) }),
    );
    stack.at(0);
  }

  step(i: number): void {
    this.#pass!.stack.through(i);
    this.#pass!.stack.at(i);
  }

  end(): void {
    const model = this.#model;
    const { stack } = this.#pass!;
    scope(() => {
      const { hidden: parts, order } = stack.finish();
      // All lanes go through a block in one call, so there is one part.
      const logits = model.head(parts[0]!.reshape([-1, model.width])); // [n, V]
      const rows = logits.log_softmax(-1, 'float32').unbind(0);
      order.forEach((lane, n) => this.#logProbabilities.set(this.#layers[lane]!, keep(rows[n]!)));
      return null;
    });
    this.#abandon();
  }

  /** Frees the pass, at its end or where memory ran out. */
  #abandon(): void {
    this.#pass?.stack.dispose();
    this.#pass?.context.dispose();
    this.#pass = null;
  }

  /** Log-probabilities of the next token with the residual stream of the layer at zero: [V]. */
  logProbabilities(layer: number): Tensor {
    return this.#logProbabilities.get(layer)!;
  }

  /** 1 if a probability is zero in the model's dtype, else 0, in the shape of `like`: float32. */
  underflows(layer: number, like: Tensor): Tensor {
    const least = new LeastLogit();
    try {
      return scope(() => {
        const own = this.logProbabilities(layer).unsqueeze(0); // [1, V]
        least.see(own);
        const none = ops.zeros([1], { dtype: 'float64', device: own.device });
        return least.underflows(none, this.#model.dtype).expand(like.shape).contiguous();
      });
    } finally {
      least.dispose();
    }
  }

  /** Cross-entropy of the labels [N] with the residual stream of the layer at zero: [N]. */
  crossEntropy(layer: number, labels: Tensor): Tensor {
    return this.logProbabilities(layer).index_select(0, labels).neg();
  }

  dispose(): void {
    this.#abandon();
    for (const held of this.#logProbabilities.values()) held.dispose();
  }
}
