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
  /** h_L of all lanes, one after the other, in parts of `lanesPerCall` lanes: [n·B, T, d] each. */
  hidden: readonly Tensor[];
  /** The lanes, as declared, in the order in which they lie there. */
  order: readonly number[];
}

export class LaneStack {
  readonly #options: LaneStackOptions;
  /** Lanes by the layer they begin at, then as declared. */
  readonly #order: readonly number[];
  readonly #starts = new Map<number, LaneStart>();
  /** Lanes in that order, as many in a part as go through a block in one call: [n·B, T, d] each. */
  #parts: Tensor[] = [];
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
    const { model, context } = this.#options;
    for (const start of this.#starts.values())
      if ('walk' in start && start.walk.hasBegun) start.walk.through(i, model, context);
    const go = (): void => {
      for (const [n, part] of this.#parts.entries()) {
        this.#parts[n] = model.block(i, part, context);
        part.dispose();
      }
    };
    if (this.#parts.length > 1) model.sharingWeights(go);
    else go();
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
    this.#add(states);
    // Lanes may share what they begin with.
    for (const state of states) state.dispose();
    for (const lane of joining) this.#valueOf(lane)?.dispose();
  }

  /** Fills the last part, then begins others. */
  #add(states: readonly Tensor[]): void {
    const { B, lanesPerCall } = this.#options;
    for (let from = 0; from < states.length;) {
      const last = this.#parts.at(-1);
      const held = last === undefined ? lanesPerCall : last.shape[0]! / B;
      if (last === undefined || held === lanesPerCall) {
        const own = states.slice(from, from + lanesPerCall);
        this.#parts.push(ops.cat(own, 0));
        from += own.length;
        continue;
      }
      const own = states.slice(from, from + lanesPerCall - held);
      this.#parts[this.#parts.length - 1] = ops.cat([last, ...own], 0);
      last.dispose();
      from += own.length;
    }
  }

  #edit(layer: number): void {
    const { B, lanesPerCall } = this.#options;
    for (let n = 0; n < this.#joined; n++) {
      const edit = this.#editsOf(this.#order[n]!)?.get(layer);
      if (edit === undefined) continue;
      const part = this.#parts[Math.floor(n / lanesPerCall)]!;
      const view: Tensor = part.narrow(0, (n % lanesPerCall) * B, B);
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
    const hidden = this.#parts.map((part) => {
      const normed = model.finalNorm(part);
      part.dispose();
      return normed;
    });
    this.#parts = [];
    this.dispose();
    return { hidden, order: this.#order };
  }

  dispose(): void {
    for (const part of this.#parts) part.dispose();
    this.#parts = [];
    for (const start of this.#starts.values()) if ('walk' in start) start.walk.dispose();
    this.#starts.clear();
  }
}
