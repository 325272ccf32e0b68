/**
 * An SAE inside a block (attention's heads or one of them, what attention or the MLP adds, the
 * stream between them): measured there on the clean pass. A splice runs its own block once more
 * with the site replaced, and the lane joins with what comes out of it.
 */
import type { Protocol } from '../../../metrics/metric.js';
import type { Dictionary } from '../../../sae/index.js';
import { scope, type Tensor } from '../../../torch/index.js';
import type { PeerRun } from '../../peers.js';
import { everyPosition, type PositionSet } from '../../positions.js';
import type { CleanPass, SiteInBlock } from '../clean-pass.js';
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

export class InsideBlock implements Strategy {
  readonly variants: readonly Variant[];
  readonly positions: PositionSet;
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  readonly sites: Strategy['sites'];
  /** The other sites go on, so a site at zero is a lane of its own. */
  readonly zeroSites: Strategy['zeroSites'] = [];
  readonly lanes: readonly LanePlan[];
  readonly peers: readonly PeerRun[];
  readonly passes: Strategy['passes'];
  readonly looksBack: boolean;
  readonly #sae: Dictionary;
  readonly #interventions: readonly Intervention[];
  readonly #zeroed: readonly Intervention[];
  readonly #hook: SiteInBlock;
  readonly #protocols: ReadonlySet<Protocol>;

  constructor(sae: Dictionary, hook: SiteInBlock, { variants, wanted, positions }: StrategyRun) {
    this.#sae = sae;
    this.looksBack = sae.looksBack;
    this.positions = positions;
    this.#hook = hook;
    this.#protocols = wanted.protocols;
    this.variants = variants;
    const { layer } = hook;
    const slots = [{ layer, splicedAt: layer }];
    this.slots = { reference: slots, strict: slots };
    this.residuals = [layer - 1];
    this.sites = [{ site: hook.site, layer }];
    const { peers = [] } = wanted;
    this.peers = peers;
    const own = interventions(wanted.protocols, positions);
    const isHeads = hook.site === 'attn_z';
    this.#interventions = withPeers(
      wanted.splice ? own : [],
      peers.map(({ protocol, spliced, splicedAtHeads }) => ({
        protocol,
        positions: isHeads ? splicedAtHeads : spliced,
      })),
    );
    this.#zeroed = withPeers(
      wanted.splice && wanted.zero ? own : [],
      peers.map(({ protocol }) => ({ protocol, positions: everyPosition })),
    );
    const targets = (each: Intervention) =>
      variants.map(({ owner }) => targetsFor(owner, each.protocols, 0));
    this.lanes = [
      ...this.#interventions
        .flatMap(targets)
        .map((each) => ({ start: layer, zero: false, targets: each })),
      ...this.#zeroed.map((each) => ({ start: layer, zero: true, targets: targets(each).flat() })),
    ];
    this.passes = { encode: 1, decode: variants.map(() => 1) };
  }

  ofWeights(): [key: string, values: Float64Array][] {
    return ofWeights(this.#sae, this);
  }

  enter(clean: CleanPass, into: Collector, part = wholePart): LaneStart[] {
    const sae = this.#sae;
    const hook = this.#hook;
    const input = clean.input(hook, sae.normalization);
    return scope(() => {
      const latentsOf = new LatentsOf(sae, sae.preactivate(input.x, clean.T));
      const count = this.variants.length;
      const reconstructions = this.variants.map(({ owner, sparsity }, variant): Tensor | null => {
        const isSpliced = this.#interventions.some((_, each) => part.takes(each * count + variant));
        if (!part.measures && !isSpliced) return null;
        const latents = latentsOf.under(sparsity);
        const reconstruction = sae.decode(latents); // [N, w]
        const targets = targetsFor(owner, this.#protocols, 0);
        if (part.measures) measure({ x: input.x, reconstruction, latents, targets }, into);
        if (part.measures && this.peers.length > 0)
          measurePeers(
            {
              place: `${hook.site} ${hook.layer} ${hook.slice?.from ?? ''}`,
              h: clean.atSite(hook).reshape(input.x.shape),
              reconstruction: input.restore(reconstruction),
              latents,
              owner,
              protocols: this.peers.map(({ protocol }) => protocol),
            },
            into,
          );
        if (part.measures) into.latents(owner, latents);
        return reconstruction;
      });
      if (this.lanes.length === 0) return [];
      const own = clean.atSite(hook); // [B, T, w]
      const replacing = ({ positions }: Intervention, value: Tensor): LaneStart => ({
        place: hook,
        value: leaving(into.positions.excluded(positions), own, value),
      });
      const restored = (one: Tensor): Tensor => input.restore(one).reshape(own.shape);
      let lane = 0;
      return [
        ...this.#interventions.flatMap((each) =>
          reconstructions.flatMap((one) =>
            part.takes(lane++) ? [replacing(each, restored(one!))] : [],
          ),
        ),
        ...this.#zeroed.flatMap((each) =>
          part.takes(lane++) ? [replacing(each, own.mul(0))] : [],
        ),
      ];
    });
  }
}
