/**
 * A cross-layer transcoder or weakly causal crosscoder. Each layer that it predicts is measured on
 * the clean pass and spliced alone, with latents of the clean pass. All together they make the
 * replacement model: one pass in which every layer is predicted from what that pass has. There is
 * no `reference`.
 */
import {
  firingCounts,
  LayerSums,
  type CrossLayer,
  type Latents,
  type Sparsity,
} from '../../../sae/index.js';
import { keep, ops, scope, type DType, type Tensor } from '../../../torch/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { LanePlan, LaneStart } from '../lanes.js';
import { measure } from '../measure.js';
import { Walk } from '../walk.js';
import { decideSkip, type OpenPrediction } from './decide-skip.js';
import {
  inputOf,
  residualOf,
  sitesOf,
  startAt,
  zeroLaneOrSite,
  type ChangedPlace,
} from './changed-place.js';
import {
  leaving,
  targetsFor,
  wholePart,
  type Strategy,
  type StrategyRun,
  type Variant,
} from './strategy.js';

/** Owner of the sums of the replacement model of a variant. */
export const replacementOwner = (owner: string): string => `${owner}.all`;

/** Its layers have latents of their own, so that no request sweeps it over prefixes. */
function sparsityOf({ sparsity }: Variant): Sparsity {
  if (sparsity !== null && 'prefix' in sparsity) throw new Error('a prefix of several layers');
  return sparsity;
}

interface LayersOptions {
  reads: readonly ChangedPlace[];
  predicts: readonly ChangedPlace[];
  /** Number of blocks of the model. */
  L: number;
  saeDtype: DType;
}

export class CrossLayerStrategy implements Strategy {
  readonly variants: readonly Variant[];
  readonly positions: Strategy['positions'];
  readonly slots: Strategy['slots'];
  readonly residuals: readonly number[];
  readonly sites: Strategy['sites'];
  readonly zeroSites: Strategy['zeroSites'];
  readonly lanes: readonly LanePlan[];
  readonly passes: Strategy['passes'];
  readonly #sae: CrossLayer;
  readonly #places: LayersOptions;
  readonly #hasZeroLanes: boolean;

  constructor(sae: CrossLayer, places: LayersOptions, run: StrategyRun) {
    const { variants, wanted, positions } = run;
    const { reads, predicts, L } = places;
    this.#sae = sae;
    this.#places = places;
    this.variants = variants;
    this.positions = positions;
    this.slots = {
      reference: [],
      strict: predicts.map(({ layer }) => ({ layer, splicedAt: layer })),
    };
    this.residuals = [...new Set([...reads, ...predicts].map(residualOf))];
    const strict = wanted.protocols.has('strict');
    this.sites = strict ? sitesOf([...reads, ...predicts]) : [];
    const splices = strict && wanted.splice;
    const isZeroed = splices && wanted.zero;
    const asked = wanted.metrics?.some(({ name }) => name === 'NextTokenAgreement') ?? true;
    const agreement = asked ? { agreement: true as const } : {};
    const alone = ({ owner }: Variant) =>
      predicts.map(({ layer }, slot): LanePlan => ({
        start: layer,
        zero: false,
        ...agreement,
        targets: targetsFor(owner, ['strict'], slot),
      }));
    const through = L - this.#start;
    const together = (zero: boolean, owners: readonly Variant[]): LanePlan => ({
      start: L,
      through,
      zero,
      ...(zero ? {} : agreement),
      targets: owners.flatMap(({ owner }) => targetsFor(replacementOwner(owner), ['strict'], 0)),
    });
    const zeros = predicts.map((place, slot) =>
      zeroLaneOrSite(place, {
        positions,
        targets: variants.flatMap(({ owner }) => targetsFor(owner, ['strict'], slot)),
      }),
    );
    const zeroLanes = zeros.flatMap(({ lane }) => (lane === null ? [] : [lane]));
    this.#hasZeroLanes = zeroLanes.length > 0;
    this.zeroSites = isZeroed ? zeros.flatMap(({ site }) => (site === null ? [] : [site])) : [];
    this.lanes = [
      ...(splices ? variants.flatMap((one) => [...alone(one), together(false, [one])]) : []),
      ...(isZeroed ? [...zeroLanes, together(true, variants)] : []),
    ];
    const passes = strict ? (splices ? 2 : 1) : 0;
    this.passes = { encode: passes, decode: variants.map(() => passes) };
  }

  enter(clean: CleanPass, into: Collector, part = wholePart): LaneStart[] {
    if (this.passes.encode === 0) return [];
    clean.see([...this.#places.reads, ...this.#places.predicts]);
    decideSkip(this.#sae, () => this.#bothWays(clean), into);
    let lane = 0;
    const takes = (): boolean => lane < this.lanes.length && part.takes(lane++);
    const starts = this.variants.flatMap((variant) => {
      const taken = this.#places.predicts.map(takes);
      const isReplaced = takes();
      const alone = scope(() => this.#alone(variant, { clean, into, part, taken }));
      return isReplaced ? [...alone, { walk: this.#replaced(into, variant) }] : alone;
    });
    if (lane >= this.lanes.length) return starts;
    const zeros = (this.#hasZeroLanes ? this.#places.predicts : []).flatMap((place) =>
      takes() ? [scope(() => this.#zeroed(clean, into, place))] : [],
    );
    return takes() ? [...starts, ...zeros, { walk: this.#off(into) }] : [...starts, ...zeros];
  }

  /** The layer from which the replacement model differs. */
  get #start(): number {
    const { reads, predicts } = this.#places;
    return Math.min(...[...reads, ...predicts].map(residualOf));
  }

  /** The prediction of every layer, with skip connections either way; in the scope around. */
  #bothWays(clean: CleanPass): OpenPrediction[] {
    const sae = this.#sae;
    const { reads, predicts, saeDtype } = this.#places;
    const sums = new LayerSums(sae);
    try {
      return predicts.flatMap((place, l): OpenPrediction[] => {
        const x = inputOf(clean, reads[l]!, saeDtype);
        const predicted = sums.add(l, sae.encode(l, x, sparsityOf(this.variants[0]!)), x);
        const assumed = sae.skip(l, x);
        if (assumed === null) return [];
        const transposed = sae.skip(l, x, { transposed: true })!;
        const target = inputOf(clean, place, saeDtype);
        return [{ target, without: predicted.sub(assumed), assumed, transposed }];
      });
    } finally {
      sums.dispose();
    }
  }

  /** Measures every layer on the clean pass, and begins the lanes of those that are taken. */
  #alone(
    variant: Variant,
    {
      clean,
      into,
      part,
      taken,
    }: { clean: CleanPass; into: Collector; part: typeof wholePart; taken: readonly boolean[] },
  ): LaneStart[] {
    if (!part.measures && !taken.includes(true)) return [];
    const sae = this.#sae;
    const { reads, predicts, saeDtype } = this.#places;
    const sums = new LayerSums(sae);
    const all: Latents[] = [];
    try {
      return predicts.flatMap((place, l): LaneStart[] => {
        const x = inputOf(clean, reads[l]!, saeDtype); // [N, d]
        const latents = sae.encode(l, x, sparsityOf(variant));
        all.push(latents);
        const predicted = sums.add(l, latents, x); // [N, d]
        if (part.measures) {
          // Each layer has latents of its own: they are counted once for all.
          const isLast = l === predicts.length - 1;
          const firing = (counted: Tensor): Tensor | null =>
            isLast
              ? ops.cat(
                  all.map((one) => firingCounts(one, counted)),
                  0,
                )
              : null;
          const targets = targetsFor(variant.owner, ['strict'], l);
          const target = inputOf(clean, place, saeDtype);
          measure({ x: target, reconstruction: predicted, latents, firing, targets }, into);
          const own = sae.m / predicts.length;
          into.latents(variant.owner, latents, { slot: 0, slots: 1, offset: l * own, m: sae.m });
        }
        if (taken[l] !== true) return [];
        const own = clean.at(place); // [B, T, d]
        const value = predicted.to({ dtype: own.dtype }).reshape(own.shape);
        return [startAt(place, this.#leaving(into, own, value))];
      });
    } finally {
      sums.dispose();
    }
  }

  #leaving(into: Collector, own: Tensor, value: Tensor): Tensor {
    return leaving(into.positions.excluded(this.positions), own, value);
  }

  /** The pass of the replacement model. */
  #replaced(into: Collector, variant: Variant): Walk {
    const sae = this.#sae;
    const { reads, predicts, saeDtype } = this.#places;
    const sums = new LayerSums(sae);
    const predicted = new Map<number, Tensor>(); // by layer: [N, d]
    const step = (here: ChangedPlace, value: Tensor): Tensor => {
      const isHere = ({ layer, site }: ChangedPlace): boolean =>
        layer === here.layer && site === here.site;
      const read = reads.findIndex(isHere);
      if (read >= 0) {
        const made = scope(() => {
          const x = value.reshape([-1, value.shape.at(-1)!]).to({ dtype: saeDtype });
          return sums.add(read, sae.encode(read, x, sparsityOf(variant)), x);
        });
        predicted.set(read, keep(made));
      }
      const written = predicts.findIndex(isHere);
      if (written < 0) return value;
      const own = predicted.get(written)!;
      predicted.delete(written);
      const replaced = own.to({ dtype: value.dtype }).reshape(value.shape);
      const result = this.#leaving(into, value, replaced);
      if (own !== replaced) own.dispose();
      return result;
    };
    return new Walk({
      from: this.#start,
      change: step,
      edit: (layer, r) => step({ layer, site: null }, r),
      dispose: () => {
        sums.dispose();
        for (const tensor of predicted.values()) tensor.dispose();
      },
    });
  }

  #zeroed(clean: CleanPass, into: Collector, place: ChangedPlace): LaneStart {
    const own = clean.at(place);
    return startAt(place, this.#leaving(into, own, own.mul(0)));
  }

  /** A pass with all that is predicted at zero. */
  #off(into: Collector): Walk {
    const { predicts } = this.#places;
    const step = (here: ChangedPlace, value: Tensor): Tensor =>
      predicts.some(({ layer, site }) => layer === here.layer && site === here.site)
        ? this.#leaving(into, value, value.mul(0))
        : value;
    return new Walk({
      from: this.#start,
      change: step,
      edit: (layer, r) => step({ layer, site: null }, r),
    });
  }
}
