/**
 * An SAE inside a block (attention's heads, what attention or the MLP adds, the stream between
 * them): measured there on the clean pass. A splice runs its own block once more with the site
 * replaced, and the lane joins with what comes out of it.
 */
import type { BlockSite } from '../../../lm/index.js';
import type { Protocol } from '../../../metrics/metric.js';
import type { Dictionary } from '../../../sae/index.js';
import { scope, type Tensor } from '../../../torch/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { LanePlan, LaneStart } from '../lanes.js';
import { measure } from '../measure.js';
import { targetsFor, type Slot, type Strategy, type Variant, type Wanted } from './strategy.js';

export class InsideBlock implements Strategy {
  readonly variants: readonly Variant[];
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  /** The other sites go on, so a site at zero is a lane of its own. */
  readonly zeroSites: Strategy['zeroSites'] = [];
  readonly lanes: readonly LanePlan[];
  readonly passes: Strategy['passes'];
  readonly #sae: Dictionary;
  readonly #hook: { site: BlockSite; layer: number };
  readonly #protocols: ReadonlySet<Protocol>;

  constructor(
    sae: Dictionary,
    hook: { site: BlockSite; layer: number },
    { variants, wanted }: { variants: readonly Variant[]; wanted: Wanted },
  ) {
    this.#sae = sae;
    this.#hook = hook;
    this.#protocols = wanted.protocols;
    this.variants = variants;
    const { layer } = hook;
    const slots = [{ layer, splicedAt: layer }];
    this.slots = { reference: slots, strict: slots };
    this.residuals = [layer - 1];
    const targets = variants.map(({ owner }) => targetsFor(owner, wanted.protocols, 0));
    const spliced = targets.map((own) => ({ start: layer, zero: false, targets: own }));
    const zero = wanted.zero ? [{ start: layer, zero: true, targets: targets.flat() }] : [];
    this.lanes = wanted.splice ? [...spliced, ...zero] : [];
    this.passes = { encode: 1, decode: variants.map(() => 1) };
  }

  enter(clean: CleanPass, into: Collector): LaneStart[] {
    const sae = this.#sae;
    const hook = this.#hook;
    const input = clean.input(hook, sae.normalization);
    return scope(() => {
      const a = sae.preactivate(input.x); // [N, m]
      const replacements = this.variants.map(({ owner, sparsity }): (() => Tensor) => {
        const latents = sae.activate(a, sparsity);
        const reconstruction = sae.decode(latents); // [N, w]
        const targets = targetsFor(owner, this.#protocols, 0);
        measure({ x: input.x, reconstruction, latents, targets }, into);
        return () => input.restore(reconstruction).reshape([clean.B, clean.T, sae.d]);
      });
      const zero = (): Tensor => clean.atSite(hook).mul(0);
      return this.lanes.map((lane, index) => ({
        state: clean.withSite(hook, (lane.zero ? zero : replacements[index]!)()),
      }));
    });
  }
}
