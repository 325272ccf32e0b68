/**
 * TopK, Vanilla, Gated, JumpReLU, RandomK: one layer, measured and spliced there. At the last layer
 * `reference` measures after the final norm although the splice is before it.
 */
import type { SAE } from '../../../sae/index.js';
import { scope } from '../../../torch/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { Lane } from '../lanes.js';
import { measure } from '../measure.js';
import { targetsFor, type Slot, type Strategy, type Variant, type Wanted } from './strategy.js';

export class SingleLayer implements Strategy {
  readonly slots: Record<'reference' | 'strict', Slot[]>;
  readonly residuals: readonly number[];
  readonly zeroSites: Strategy['zeroSites'];
  readonly laneStarts: readonly number[];
  readonly passes: Strategy['passes'];
  readonly #measuredAfterNorm: boolean;

  constructor(
    private readonly sae: SAE,
    private readonly layer: number,
    layers: number,
    readonly variants: readonly Variant[],
    private readonly wanted: Wanted,
  ) {
    const slots = [{ layer, splicedAt: layer }];
    this.slots = { reference: slots, strict: slots };
    this.residuals = [layer];
    this.zeroSites = wanted.zero
      ? [
          {
            layer,
            targets: variants.flatMap(({ owner }) => targetsFor(owner, wanted.protocols, 0)),
          },
        ]
      : [];
    this.laneStarts = wanted.splice ? variants.map(() => layer) : [];
    this.#measuredAfterNorm = layer === layers && wanted.protocols.has('reference');
    const sites = this.#measuredAfterNorm ? 2 : 1;
    this.passes = { encode: sites, decode: sites };
  }

  enter(clean: CleanPass, into: Collector): Lane[] {
    const { sae, layer, wanted } = this;
    const site = clean.input(layer, sae.normalization);
    const lanes = scope(() => {
      const a = sae.preactivate(site.x); // [N, m]
      return this.variants.map(({ owner, sparsity }) => {
        const latents = sae.activate(a, sparsity);
        const reconstruction = sae.decode(latents); // [N, d]
        const protocols = [...wanted.protocols].filter(
          (protocol) => protocol === 'strict' || !this.#measuredAfterNorm,
        );
        measure(
          { x: site.x, reconstruction, latents, targets: targetsFor(owner, protocols, 0) },
          into,
        );
        return {
          start: layer,
          state: wanted.splice
            ? site.restore(reconstruction).reshape([clean.B, clean.T, clean.d])
            : null,
          edits: new Map(),
          zero: false,
          targets: targetsFor(owner, wanted.protocols, 0),
        };
      });
    });
    if (this.#measuredAfterNorm) {
      const { x } = clean.input('final', sae.normalization);
      scope(() => {
        const a = sae.preactivate(x);
        for (const { owner, sparsity } of this.variants) {
          const latents = sae.activate(a, sparsity);
          measure(
            {
              x,
              reconstruction: sae.decode(latents),
              latents,
              targets: targetsFor(owner, ['reference'], 0),
            },
            into,
          );
        }
        return null;
      });
    }
    return lanes.flatMap((lane) => (lane.state === null ? [] : [{ ...lane, state: lane.state }]));
  }
}
