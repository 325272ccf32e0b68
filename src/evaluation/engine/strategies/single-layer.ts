/**
 * TopK, Vanilla, Gated, JumpReLU, RandomK: one layer, measured and spliced there. At the last layer
 * `reference` measures after the final norm although the splice is before it.
 */
import type { Target } from '../../../metrics/keys.js';
import type { Protocol } from '../../../metrics/metric.js';
import type { Dictionary } from '../../../sae/index.js';
import { scope, type Tensor } from '../../../torch/index.js';
import type { PositionSet } from '../../positions.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { LanePlan, LaneStart } from '../lanes.js';
import { LatentsOf } from '../latents-of.js';
import { measure } from '../measure.js';
import {
  interventions,
  leaving,
  targetsFor,
  wholePart,
  type Intervention,
  type Slot,
  type Strategy,
  type StrategyRun,
  type Variant,
} from './strategy.js';

export class SingleLayer implements Strategy {
  readonly variants: readonly Variant[];
  readonly positions: PositionSet;
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  readonly sites: Strategy['sites'] = [];
  readonly zeroSites: Strategy['zeroSites'];
  readonly lanes: readonly LanePlan[];
  readonly passes: Strategy['passes'];
  readonly #sae: Dictionary;
  readonly #interventions: readonly Intervention[];
  /** Sites at which the SAE is measured, with their protocols; it is spliced at the first. */
  readonly #measurements: { site: number | 'final'; protocols: Protocol[] }[];

  constructor(
    sae: Dictionary,
    layer: number,
    { layers, variants, wanted, positions }: StrategyRun & { layers: number },
  ) {
    this.#sae = sae;
    this.positions = positions;
    this.variants = variants;
    const { protocols } = wanted;
    const slots = [{ layer, splicedAt: layer }];
    this.slots = { reference: slots, strict: slots };
    this.residuals = [layer];
    const afterNorm = layer === layers && protocols.has('reference');
    const here = [...protocols].filter((protocol) => protocol === 'strict' || !afterNorm);
    this.#measurements = [
      { site: layer, protocols: here },
      ...(afterNorm ? [{ site: 'final' as const, protocols: ['reference' as const] }] : []),
    ];
    this.#interventions = interventions(protocols, positions);
    const targetsOf = (owner: string, { protocols: own }: Intervention): Target[] =>
      targetsFor(owner, own, 0);
    this.zeroSites = wanted.zero
      ? this.#interventions.map((each) => ({
          layer,
          positions: each.positions,
          targets: variants.flatMap(({ owner }) => targetsOf(owner, each)),
        }))
      : [];
    this.lanes = wanted.splice
      ? variants.flatMap(({ owner }) =>
          this.#interventions.map((each) => ({
            start: layer,
            zero: false,
            targets: targetsOf(owner, each),
          })),
        )
      : [];
    const { length } = this.#measurements;
    this.passes = { encode: length, decode: variants.map(() => length) };
  }

  enter(clean: CleanPass, into: Collector, part = wholePart): LaneStart[] {
    const sae = this.#sae;
    const count = this.#interventions.length;
    const measurements = part.measures ? this.#measurements : this.#measurements.slice(0, 1);
    const [spliced] = measurements.map(({ site, protocols }, index) => {
      const input = clean.input(site, sae.normalization);
      return scope(() => {
        const latentsOf = new LatentsOf(sae, sae.preactivate(input.x, clean.T));
        return this.variants.flatMap(({ owner, sparsity }, variant): Tensor[] => {
          const wanted = this.#interventions.filter(
            (_, each) => index === 0 && this.lanes.length > 0 && part.takes(variant * count + each),
          );
          if (!part.measures && wanted.length === 0) return [];
          const latents = latentsOf.under(sparsity);
          const reconstruction = sae.decode(latents); // [N, d]
          const targets = targetsFor(owner, protocols, 0);
          if (part.measures) measure({ x: input.x, reconstruction, latents, targets }, into);
          if (wanted.length === 0) return [];
          const spliced = input.restore(reconstruction).reshape([clean.B, clean.T, clean.d]);
          return wanted.map((each) => {
            const excluded = into.positions.excluded(each.positions);
            return leaving(excluded, clean.residual(this.residuals[0]!), spliced);
          });
        });
      });
    });
    return spliced!.map((state) => ({ state }));
  }
}
