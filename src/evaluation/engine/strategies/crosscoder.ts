/**
 * Crosscoder: latents from the R layers of the clean pass. `reference` has no splice; `strict`
 * splices one layer alone with its own reconstruction, x̂_j · std_j + mean_j, and averages over the
 * layers.
 */
import type { Protocol } from '../../../metrics/metric.js';
import type { CrosscoderLike } from '../../../sae/index.js';
import { ops, scope } from '../../../torch/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { Lane } from '../lanes.js';
import { measure } from '../measure.js';
import { targetsFor, type Slot, type Strategy, type Variant, type Wanted } from './strategy.js';

export class CrosscoderStrategy implements Strategy {
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  readonly zeroSites: Strategy['zeroSites'];
  readonly laneStarts: readonly number[];
  readonly passes = { encode: 1, decode: 1 };
  readonly #splices: boolean;

  constructor(
    private readonly sae: CrosscoderLike,
    private readonly layers: readonly number[],
    readonly variants: readonly Variant[],
    private readonly wanted: Wanted,
  ) {
    this.slots = {
      reference: layers.map((layer) => ({ layer, splicedAt: null })),
      strict: layers.map((layer) => ({ layer, splicedAt: layer })),
    };
    this.residuals = layers;
    this.#splices = wanted.splice && wanted.protocols.has('strict');
    this.laneStarts = this.#splices ? variants.flatMap(() => layers) : [];
    this.zeroSites =
      wanted.zero && this.#splices
        ? layers.map((layer, slot) => ({
            layer,
            targets: variants.flatMap(({ owner }) => targetsFor(owner, ['strict'], slot)),
          }))
        : [];
  }

  enter(clean: CleanPass, into: Collector): Lane[] {
    const { normalizations } = this.sae;
    const sites = this.layers.map((layer, j) => clean.input(layer, normalizations?.[j]));
    const x =
      normalizations === undefined
        ? clean.routed(this.layers)
        : ops.stack(
            sites.map((site) => site.x),
            1,
          ); // [N, R, d]
    return scope(() => {
      const a = this.sae.preactivate(x); // [N, m]
      return this.variants.flatMap(({ owner, sparsity }) => {
        const latents = this.sae.activate(a, sparsity);
        const counted = this.sae.shared?.(latents) ?? latents; // [N, m]
        const reconstruction = this.sae.decode(latents); // [N, R, d]
        return this.layers.flatMap((layer, slot): Lane[] => {
          const own = reconstruction.select(1, slot); // [N, d]
          // The sites share their latents: they are counted once, at the first.
          measure(
            {
              x: sites[slot]!.x,
              reconstruction: own,
              latents: slot === 0 ? counted : null,
              targets: targetsFor(owner, this.wanted.protocols, slot),
            },
            into,
          );
          if (!this.#splices) return [];
          const state = sites[slot]!.restore(own).reshape([clean.B, clean.T, clean.d]);
          return [
            {
              start: layer,
              state,
              edits: new Map(),
              zero: false,
              targets: targetsFor(owner, ['strict'], slot),
            },
          ];
        });
      });
    });
  }
}
