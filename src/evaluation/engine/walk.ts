/**
 * A pass of its own from the residual stream of a layer on, changed on its way at several places by
 * what stands there.
 */
import { scope, type Tensor } from '../../torch/index.js';
import type { AttentionContext, LanguageModel } from '../../lm/index.js';
import type { SiteInBlock } from './clean-pass.js';

export interface WalkOptions {
  /** The first layer that may be changed. */
  from: number;
  /** Value that a site inside a block goes on with. */
  change: (place: SiteInBlock, value: Tensor) => Tensor;
  /** Value that the residual stream after a block goes on with. */
  edit: (layer: number, r: Tensor) => Tensor;
  /** Frees what the changes hold. */
  dispose?: () => void;
}

export class Walk {
  readonly from: number;
  readonly #options: WalkOptions;
  #r: Tensor | null = null; // [B, T, d]
  /** The layer at which it stands. */
  #layer = -1;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.from = options.from;
  }

  /** Begins with the clean residual stream at `from`, which stays as it is. */
  begin(residual: Tensor): void {
    this.#r = scope(() => this.#options.edit(this.from, residual.clone()));
    this.#layer = this.from;
  }

  get hasBegun(): boolean {
    return this.#r !== null;
  }

  /** Block i, unless it is beyond that already. */
  through(i: number, model: LanguageModel, context: AttentionContext): void {
    if (i <= this.#layer) return;
    this.#layer = i;
    const { change, edit } = this.#options;
    const before = this.#r!;
    this.#r = scope(() =>
      edit(
        i,
        model.block(i, before, context, (site, value) => change({ site, layer: i }, value)),
      ),
    );
    before.dispose();
  }

  /** The residual stream where it stands: [B, T, d]. The caller takes it over. */
  end(): Tensor {
    const end = this.#r!;
    this.#r = null;
    this.dispose();
    return end;
  }

  dispose(): void {
    this.#r?.dispose();
    this.#r = null;
    this.#options.dispose?.();
  }
}
