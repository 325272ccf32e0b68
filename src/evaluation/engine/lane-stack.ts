/**
 * Suffix passes. All lanes run together through the remaining blocks, each joining at its own
 * layer, so that every block runs once on one larger batch.
 */
import type { AttentionContext, LanguageModel } from '../../lm/index.js';
import { ops, scope, type Tensor } from '../../torch/index.js';
import type { CleanPass } from './clean-pass.js';
import type { LanePlan, LaneStart, StateStart } from './lanes.js';

export interface LaneStackOptions {
  model: LanguageModel;
  context: AttentionContext;
  lanes: readonly LanePlan[];
  /** Sequences of the micro-batch. */
  B: number;
  /** Lanes that go through a block in one call; bounds its temporaries. */
  lanesPerCall: number;
  /** Where lanes that begin inside a block, or with a pass of their own, come from. */
  clean?: Pick<CleanPass, 'residual' | 'withSite'>;
}

/** Lanes after the last block and the final norm. */
export interface SweptLanes {
  /** h_L of all lanes, one after the other: [n·B, T, d]. */
  hidden: Tensor;
  /** The lanes, as declared, in the order in which they lie there. */
  order: readonly number[];
}

export class LaneStack {
  readonly #options: LaneStackOptions;
  /** Lanes by the layer they begin at, then as declared. */
  readonly #order: readonly number[];
  readonly #starts = new Map<number, LaneStart>();
  #stack: Tensor | null = null; // [n·B, T, d], lanes in that order
  #joined = 0;

  constructor(options: LaneStackOptions) {
    const { lanes } = options;
    this.#options = options;
    this.#order = lanes
      .map((_, index) => index)
      .sort((a, b) => lanes[a]!.start - lanes[b]!.start || a - b);
  }

  /** Sets how a lane begins, before the blocks reach its layer. */
  begin(lane: number, start: LaneStart): void {
    this.#starts.set(lane, start);
  }

  /** Block i, on the lanes that have joined and on those that go by themselves. */
  through(i: number): void {
    const { model, context, B } = this.#options;
    for (const start of this.#starts.values())
      if ('walk' in start && start.walk.hasBegun) start.walk.through(i, model, context);
    const current = this.#stack;
    if (current === null) return;
    this.#stack = scope(() => this.#block(i, current, current.shape[0]! / B));
    current.dispose();
  }

  /** One block, some lanes at a time. */
  #block(i: number, stack: Tensor, count: number): Tensor {
    const { model, context, B, lanesPerCall } = this.#options;
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

  /** At a layer: edits of the lanes that have joined, then those join that begin there. */
  at(layer: number): void {
    this.#edit(layer);
    this.#beginWalks(layer);
    const { lanes } = this.#options;
    const from = this.#joined;
    while (lanes[this.#order[this.#joined] ?? -1]?.start === layer) this.#joined += 1;
    if (this.#joined === from) return;
    const joining = this.#order.slice(from, this.#joined);
    const states = joining.map((lane) => this.#stateOf(lane));
    const before = this.#stack;
    this.#stack = ops.cat(before === null ? states : [before, ...states], 0);
    before?.dispose();
    // Lanes may share what they begin with.
    for (const state of states) state.dispose();
    for (const lane of joining) this.#valueOf(lane)?.dispose();
  }

  #edit(layer: number): void {
    const { B } = this.#options;
    for (let n = 0; n < this.#joined; n++) {
      const edit = this.#editsOf(this.#order[n]!)?.get(layer);
      if (edit === undefined) continue;
      const view: Tensor = this.#stack!.narrow(0, n * B, B);
      scope(() => {
        view.copy_(edit(view));
        return null;
      });
      view.dispose();
    }
  }

  #editsOf(lane: number): StateStart['edits'] {
    const start = this.#starts.get(lane);
    return start !== undefined && 'state' in start ? start.edits : undefined;
  }

  #beginWalks(layer: number): void {
    const { model, context, clean } = this.#options;
    for (const start of this.#starts.values()) {
      if (!('walk' in start) || start.walk.from !== layer || start.walk.hasBegun) continue;
      start.walk.begin(clean!.residual(layer));
      // A pass holds memory of its own: if all blocks are there, it ends before the next begins.
      if (!model.isStreamed)
        for (let i = layer + 1; i <= model.layers; i++) start.walk.through(i, model, context);
    }
  }

  /** The state in which a lane joins: [B, T, d]. */
  #stateOf(lane: number): Tensor {
    const start = this.#starts.get(lane);
    if (start === undefined) throw new Error(`lane ${lane} has not begun`);
    if ('state' in start) return start.state;
    if ('walk' in start) return start.walk.end();
    return this.#options.clean!.withSite(start.place, start.value);
  }

  #valueOf(lane: number): Tensor | null {
    const start = this.#starts.get(lane);
    return start !== undefined && 'value' in start ? start.value : null;
  }

  /** Ends after the last block. */
  finish(): SweptLanes {
    const { model } = this.#options;
    const hidden = model.finalNorm(this.#stack!);
    this.dispose();
    return { hidden, order: this.#order };
  }

  dispose(): void {
    this.#stack?.dispose();
    this.#stack = null;
    for (const start of this.#starts.values()) if ('walk' in start) start.walk.dispose();
    this.#starts.clear();
  }
}
