/**
 * Suffix passes. A lane is a copy of the micro-batch whose residual stream was changed at some
 * layer; all lanes run together through the remaining blocks, each joining at its own layer, so
 * that every block runs once on one larger batch.
 */
import type { AttentionContext, LanguageModel } from '../../lm/index.js';
import { ops, scope, type Tensor } from '../../torch/index.js';
import type { Target } from '../../metrics/keys.js';

/** A lane as it is declared: where it begins and where its numbers go. */
export interface LanePlan {
  /** The first layer whose residual stream the lane replaces. */
  readonly start: number;
  /** Blocks that it went through by itself before it joined the others there; default 0. */
  readonly through?: number;
  /** Whether its most likely next tokens are compared with those of the clean pass. */
  readonly agreement?: true;
  /** Whether sites are set to zero: gives `ceZero` instead of `kl` and `ceSpliced`. */
  readonly zero: boolean;
  readonly targets: readonly Target[];
}

/** A change of the residual stream [B, T, d] as it stands at a layer. */
export type Edit = (r: Tensor) => Tensor;

/** The state in which a lane begins. */
export interface LaneStart {
  /** [B, T, d]; the sweep takes it over. */
  readonly state: Tensor;
  /** Changes at later layers. */
  readonly edits?: ReadonlyMap<number, Edit>;
}

export type Lane = LanePlan & LaneStart;

export interface LaneSweep {
  model: LanguageModel;
  context: AttentionContext;
  lanes: readonly Lane[];
  /** Lanes that go through a block in one call; bounds its temporaries. */
  lanesPerCall: number;
}

/** One block on all lanes, some at a time. */
function block(
  { model, context, lanesPerCall }: LaneSweep,
  i: number,
  stack: Tensor,
  B: number,
): Tensor {
  const count = stack.shape[0]! / B;
  if (count <= lanesPerCall) return model.block(i, stack, context);
  return model.sharingWeights(() => {
    const parts: Tensor[] = [];
    for (let from = 0; from < count; from += lanesPerCall) {
      parts.push(
        model.block(
          i,
          stack.narrow(0, from * B, Math.min(lanesPerCall, count - from) * B),
          context,
        ),
      );
    }
    return ops.cat(parts, 0);
  });
}

/** Lanes after the last block and the final norm. */
export interface SweptLanes {
  /** h_L of all lanes, one after the other: [n·B, T, d]. */
  hidden: Tensor;
  /** The lanes, as given, in the order in which they lie there. */
  order: readonly number[];
}

/** Runs the lanes, of which there is at least one, to the end. Takes over their states. */
export function runLanes(sweep: LaneSweep): SweptLanes {
  const { model, lanes } = sweep;
  const B = lanes[0]!.state.shape[0]!;
  const order = lanes
    .map((_, index) => index)
    .sort((a, b) => lanes[a]!.start - lanes[b]!.start || a - b);
  const begin = lanes[order[0]!]!.start;
  let stack: Tensor | null = null; // [n·B, T, d], lanes in `order`
  let joined = 0;
  for (let layer = begin; layer <= model.layers; layer++) {
    for (let n = 0; n < joined; n++) {
      const edit = lanes[order[n]!]!.edits?.get(layer);
      if (edit === undefined) continue;
      const view: Tensor = stack!.narrow(0, n * B, B);
      scope(() => {
        view.copy_(edit(view));
        return null;
      });
      view.dispose();
    }
    const joining: Tensor[] = [];
    while (joined < order.length && lanes[order[joined]!]!.start === layer)
      joining.push(lanes[order[joined++]!]!.state);
    const before: Tensor | null = stack;
    if (joining.length > 0) {
      stack = ops.cat(before === null ? joining : [before, ...joining], 0);
      before?.dispose();
      for (const state of joining) state.dispose();
    }
    if (layer === model.layers) break;
    const current: Tensor = stack!;
    stack = scope(() => block(sweep, layer + 1, current, B));
    current.dispose();
  }
  const hidden = model.finalNorm(stack!);
  stack!.dispose();
  return { hidden, order };
}
