/**
 * MLSAE: one dictionary on each routed layer by itself. `reference` measures on h_i, ignoring
 * inferK and theta, but splices at r_{i+1}, one block later; `strict` splices at the layer it
 * measures. The splices of both at one layer are one lane.
 */
import type { OwnTarget } from '../../../metrics/keys.js';
import type { Protocol } from '../../../metrics/metric.js';
import type { Dictionary, Override } from '../../../sae/index.js';
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
  wholePart,
  type Intervention,
  type Slot,
  type Strategy,
  type StrategyRun,
  type Variant,
} from './strategy.js';

/** Whether it is one of those that `reference` ignores when it measures. */
const changesSparsity = (override: Override): boolean =>
  override !== null && !('prefix' in override);

export class MultiLayer implements Strategy {
  readonly variants: readonly Variant[];
  readonly positions: PositionSet;
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  readonly sites: Strategy['sites'] = [];
  readonly isByLayer = true;
  readonly measuredOn: readonly number[];
  readonly zeroSites: Strategy['zeroSites'];
  readonly lanes: readonly LanePlan[];
  readonly passes: Strategy['passes'];
  readonly #sae: Dictionary;
  readonly #protocols: readonly Protocol[];
  readonly #spliced: readonly number[];

  constructor(
    sae: Dictionary,
    layers: readonly number[],
    { variants, wanted, positions }: StrategyRun,
  ) {
    this.#sae = sae;
    this.positions = positions;
    this.measuredOn = layers;
    this.#protocols = [...wanted.protocols];
    this.variants = variants;
    this.slots = {
      reference: layers.map((layer) => ({ layer, splicedAt: layer + 1 })),
      strict: layers.map((layer) => ({ layer, splicedAt: layer })),
    };
    const splicedAt = this.#protocols.flatMap((protocol) =>
      this.slots[protocol].map((slot) => slot.splicedAt!),
    );
    this.#spliced = wanted.splice ? [...new Set(splicedAt)].sort((a, b) => a - b) : [];
    this.residuals = [...new Set([...layers, ...this.#spliced])];
    this.lanes = this.residuals
      .filter((layer) => this.#spliced.includes(layer))
      .flatMap((start) =>
        variants.flatMap(({ owner }) =>
          this.#interventionsAt(start).map(({ protocols }) => ({
            start,
            zero: false,
            targets: this.#targetsAt(owner, start, protocols),
          })),
        ),
      );
    this.zeroSites = wanted.zero
      ? this.#spliced.flatMap((layer) =>
          this.#interventionsAt(layer).map(({ protocols, positions: at }) => ({
            layer,
            positions: at,
            targets: variants.flatMap(({ owner }) => this.#targetsAt(owner, layer, protocols)),
          })),
        )
      : [];
    const again = wanted.protocols.has('reference') ? layers.length : 0;
    const { length } = this.residuals;
    this.passes = {
      encode: length,
      decode: variants.map(({ sparsity }) => length + (changesSparsity(sparsity) ? again : 0)),
    };
  }

  /** The interventions at that layer, for the protocols that splice there. */
  #interventionsAt(layer: number): Intervention<Protocol>[] {
    const here = this.#protocols.filter((protocol) =>
      this.slots[protocol].some(({ splicedAt }) => splicedAt === layer),
    );
    return interventions(here, this.positions);
  }

  /** Targets of a splice at that layer. */
  #targetsAt(owner: string, layer: number, protocols: readonly Protocol[]): OwnTarget[] {
    return protocols.flatMap((protocol) =>
      this.slots[protocol].flatMap((slot, index) =>
        slot.splicedAt === layer ? [{ owner, protocol, slot: index }] : [],
      ),
    );
  }

  enter(clean: CleanPass, into: Collector, part = wholePart): LaneStart[] {
    const sae = this.#sae;
    let lane = 0;
    return this.residuals.flatMap((layer) => {
      const slot = this.measuredOn.indexOf(layer);
      const measures = part.measures && slot >= 0 && (part.layer ?? layer) === layer;
      // For each variant, the interventions whose lanes begin now.
      const wanted = this.variants.map(() =>
        this.#spliced.includes(layer)
          ? this.#interventionsAt(layer).filter(() => part.takes(lane++))
          : [],
      );
      if (!measures && wanted.every(({ length }) => length === 0)) return [];
      const input = clean.input(layer, sae.normalization);
      const states = scope(() => {
        const latentsOf = new LatentsOf(sae, sae.preactivate(input.x));
        return this.variants.flatMap(({ owner, sparsity }, variant): Tensor[] => {
          const spliced = wanted[variant]!;
          if (!measures && spliced.length === 0) return [];
          const latents = latentsOf.under(sparsity);
          const reconstruction = sae.decode(latents); // [N, d]
          if (measures) {
            const all = this.#protocols.map((protocol) => ({ owner, protocol, slot }));
            const own = all.filter(
              ({ protocol }) => protocol === 'strict' || !changesSparsity(sparsity),
            );
            measure({ x: input.x, reconstruction, latents, targets: own }, into);
            into.latents(owner, latents, { slot, slots: this.measuredOn.length });
            const unchanged = all.filter((target) => !own.includes(target));
            if (unchanged.length > 0) this.#measureUnchanged(input.x, latentsOf, unchanged, into);
          }
          if (spliced.length === 0) return [];
          const residual = clean.residual(layer);
          const restored = input.restore(reconstruction).reshape(residual.shape);
          return spliced.map((each) =>
            leaving(into.positions.excluded(each.positions), residual, restored),
          );
        });
      });
      return states.map((state) => ({ state }));
    });
  }

  /** `reference`'s NormMSE, with the SAE's own sparsity whatever the request says. */
  #measureUnchanged(
    x: Tensor,
    latentsOf: LatentsOf,
    targets: readonly OwnTarget[],
    into: Collector,
  ): void {
    const latents = latentsOf.under(null);
    measure({ x, reconstruction: this.#sae.decode(latents), latents, targets }, into);
  }
}
