/**
 * An SAE inside a block (attention's heads, what attention or the MLP adds, the stream between
 * them): measured there on the clean pass. A splice runs its own block once more with the site
 * replaced, and the lane joins with what comes out of it.
 */
import type { BlockSite } from '../../../lm/index.js';
import type { SAE } from '../../../sae/index.js';
import { scope, type Tensor } from '../../../torch/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { Lane } from '../lanes.js';
import { measure } from '../measure.js';
import { targetsFor, type Slot, type Strategy, type Variant, type Wanted } from './strategy.js';

export class InsideBlock implements Strategy {
  readonly slots: Record<'reference' | 'strict', Slot[]>;
  readonly residuals: readonly number[];
  /** The other sites go on, so a site at zero is a lane of its own. */
  readonly zeroSites: Strategy['zeroSites'] = [];
  readonly laneStarts: readonly number[];
  readonly passes: Strategy['passes'] = { encode: 1, decode: 1 };

  constructor(
    private readonly sae: SAE,
    private readonly hook: { site: BlockSite; layer: number },
    readonly variants: readonly Variant[],
    private readonly wanted: Wanted,
  ) {
    const { layer } = hook;
    this.slots = {
      reference: [{ layer, splicedAt: layer }],
      strict: [{ layer, splicedAt: layer }],
    };
    this.residuals = [layer - 1];
    this.laneStarts = wanted.splice
      ? Array.from({ length: variants.length + (wanted.zero ? 1 : 0) }, () => layer)
      : [];
  }

  enter(clean: CleanPass, into: Collector): Lane[] {
    const { sae, hook, wanted } = this;
    const { protocols } = wanted;
    const input = clean.input(hook, sae.normalization);
    return scope(() => {
      const a = sae.preactivate(input.x); // [N, m]
      const lane = (value: Tensor, targets: Lane['targets'], zero: boolean): Lane => ({
        start: hook.layer,
        state: clean.withSite(hook, value),
        edits: new Map(),
        zero,
        targets,
      });
      const lanes = this.variants.flatMap(({ owner, sparsity }): Lane[] => {
        const latents = sae.activate(a, sparsity);
        const reconstruction = sae.decode(latents); // [N, w]
        measure(
          { x: input.x, reconstruction, latents, targets: targetsFor(owner, protocols, 0) },
          into,
        );
        return wanted.splice
          ? [
              lane(
                input.restore(reconstruction).reshape([clean.B, clean.T, sae.d]),
                targetsFor(owner, protocols, 0),
                false,
              ),
            ]
          : [];
      });
      if (wanted.splice && wanted.zero) {
        lanes.push(
          lane(
            clean.atSite(hook).mul(0),
            this.variants.flatMap(({ owner }) => targetsFor(owner, protocols, 0)),
            true,
          ),
        );
      }
      return lanes;
    });
  }
}
