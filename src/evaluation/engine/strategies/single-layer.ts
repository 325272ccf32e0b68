/**
 * TopK, Vanilla, Gated, JumpReLU, RandomK: one layer, measured and spliced there. At the last layer
 * `reference` measures after the final norm although the splice is before it.
 */
import type { Target } from '../../../metrics/keys.js';
import type { Protocol } from '../../../metrics/metric.js';
import type { Dictionary } from '../../../sae/index.js';
import { scope, type Tensor } from '../../../torch/index.js';
import type { PeerRun } from '../../peers.js';
import { everyPosition, type PositionSet } from '../../positions.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { LanePlan, LaneStart } from '../lanes.js';
import { LatentsOf } from '../latents-of.js';
import { measure } from '../measure.js';
import { measurePeers } from '../peers/measure-peers.js';
import { ofWeights } from '../peers/of-weights.js';
import {
  interventions,
  leaving,
  targetsFor,
  withPeers,
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
  readonly peers: readonly PeerRun[];
  readonly passes: Strategy['passes'];
  readonly looksBack: boolean;
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
    this.looksBack = sae.looksBack;
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
    const { peers = [] } = wanted;
    this.peers = peers;
    const own = interventions(protocols, positions);
    this.#interventions = withPeers(
      wanted.splice ? own : [],
      peers.map(({ protocol, spliced }) => ({ protocol, positions: spliced })),
    );
    const targetsOf = (owner: string, { protocols: own }: Intervention): Target[] =>
      targetsFor(owner, own, 0);
    this.zeroSites = withPeers(
      wanted.zero ? own : [],
      peers.map(({ protocol }) => ({ protocol, positions: everyPosition })),
    ).map((each) => ({
      layer,
      positions: each.positions,
      targets: variants.flatMap(({ owner }) => targetsOf(owner, each)),
    }));
    this.lanes = variants.flatMap(({ owner }) =>
      this.#interventions.map((each) => ({
        start: layer,
        zero: false,
        targets: targetsOf(owner, each),
      })),
    );
    const { length } = this.#measurements;
    this.passes = { encode: length, decode: variants.map(() => length) };
  }

  ofWeights(): [key: string, values: Float64Array][] {
    return ofWeights(this.#sae, this);
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
          // The table is of the activations that are spliced.
          if (part.measures && index === 0) into.latents(owner, latents);
          const forPeers = part.measures && index === 0 && this.peers.length > 0;
          if (wanted.length === 0 && !forPeers) return [];
          const restored = input.restore(reconstruction); // [N, d]
          if (forPeers)
            measurePeers(
              {
                place: `resid ${this.residuals[0]!}`,
                h: clean.residual(this.residuals[0]!).reshape([-1, clean.d]),
                reconstruction: restored,
                latents,
                owner,
                protocols: this.peers.map(({ protocol }) => protocol),
              },
              into,
            );
          const spliced = restored.reshape([clean.B, clean.T, clean.d]);
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
