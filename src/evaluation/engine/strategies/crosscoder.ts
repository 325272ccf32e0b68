/**
 * Crosscoder: latents from the R layers of the clean pass. `reference` has no splice; `strict`
 * splices one layer alone with its own reconstruction and averages over the layers.
 */
import type { Protocol } from '../../../metrics/metric.js';
import type { Crosscoder } from '../../../sae/index.js';
import { scope } from '../../../torch/index.js';
import type { PositionSet } from '../../positions.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { LanePlan, LaneStart } from '../lanes.js';
import { LatentsOf } from '../latents-of.js';
import { measure } from '../measure.js';
import {
  leaving,
  targetsFor,
  wholePart,
  type Slot,
  type Strategy,
  type StrategyRun,
  type Variant,
} from './strategy.js';

export class CrosscoderStrategy implements Strategy {
  readonly variants: readonly Variant[];
  readonly positions: PositionSet;
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  readonly sites: Strategy['sites'] = [];
  readonly zeroSites: Strategy['zeroSites'];
  readonly lanes: readonly LanePlan[];
  readonly passes: Strategy['passes'];
  readonly #sae: Crosscoder;
  readonly #protocols: ReadonlySet<Protocol>;

  constructor(
    sae: Crosscoder,
    layers: readonly number[],
    { variants, wanted, positions }: StrategyRun,
  ) {
    this.#sae = sae;
    this.positions = positions;
    this.#protocols = wanted.protocols;
    this.variants = variants;
    this.residuals = layers;
    this.slots = {
      reference: layers.map((layer) => ({ layer, splicedAt: null })),
      strict: layers.map((layer) => ({ layer, splicedAt: layer })),
    };
    const splices = wanted.splice && wanted.protocols.has('strict');
    const targetsAt = ({ owner }: Variant, slot: number) => targetsFor(owner, ['strict'], slot);
    this.lanes = splices
      ? variants.flatMap((variant) =>
          layers.map((start, slot) => ({ start, zero: false, targets: targetsAt(variant, slot) })),
        )
      : [];
    this.zeroSites =
      wanted.zero && splices
        ? layers.map((layer, slot) => ({
            layer,
            positions,
            targets: variants.flatMap((variant) => targetsAt(variant, slot)),
          }))
        : [];
    this.passes = { encode: 1, decode: variants.map(() => 1) };
  }

  enter(clean: CleanPass, into: Collector, part = wholePart): LaneStart[] {
    const sae = this.#sae;
    const sites = this.residuals.map((layer, j) => clean.input(layer, sae.normalizations[j]!));
    const x = clean.stacked(this.residuals, sae.normalizations); // [N, R, d]
    return scope(() => {
      const latentsOf = new LatentsOf(sae, sae.preactivate(x));
      return this.variants.flatMap(({ owner, sparsity }, variant) => {
        const isTaken = (slot: number): boolean =>
          this.lanes.length > 0 && part.takes(variant * sites.length + slot);
        if (!part.measures && !sites.some((_, slot) => isTaken(slot))) return [];
        const latents = latentsOf.under(sparsity);
        const counted = sae.shared(latents); // [N, m]
        const reconstruction = sae.decode(latents); // [N, R, d]
        if (part.measures) into.latents(owner, counted);
        return sites.flatMap((site, slot): LaneStart[] => {
          const own = reconstruction.select(1, slot); // [N, d]
          const targets = targetsFor(owner, this.#protocols, slot);
          // The sites share their latents: they are counted once, at the first.
          const shared = slot === 0 ? counted : null;
          if (part.measures)
            measure({ x: site.x, reconstruction: own, latents: shared, targets }, into);
          if (!isTaken(slot)) return [];
          const residual = clean.residual(this.residuals[slot]!);
          const spliced = site.restore(own).reshape(residual.shape);
          return [{ state: leaving(into.positions.excluded(this.positions), residual, spliced) }];
        });
      });
    });
  }
}
