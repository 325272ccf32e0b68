/**
 * A transcoder: it reads one place of the clean pass and predicts another, which its prediction is
 * measured against and replaces. With the place at zero, the module behind it is off. There is no
 * `reference`.
 */
import { scope, type Tensor } from '../../../torch/index.js';
import type { Transcoder } from '../../../sae/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { LanePlan, LaneStart } from '../lanes.js';
import { LatentsOf } from '../latents-of.js';
import { measure } from '../measure.js';
import { decideSkip } from './decide-skip.js';
import {
  inputOf,
  residualOf,
  sitesOf,
  startAt,
  zeroLaneOrSite,
  type ChangedPlace,
} from './changed-place.js';
import { leaving, targetsFor, wholePart, type Strategy, type StrategyRun } from './strategy.js';

export class TranscoderStrategy implements Strategy {
  readonly variants: Strategy['variants'];
  readonly positions: Strategy['positions'];
  readonly slots: Strategy['slots'];
  readonly residuals: readonly number[];
  readonly sites: Strategy['sites'];
  readonly zeroSites: Strategy['zeroSites'];
  readonly lanes: readonly LanePlan[];
  readonly passes: Strategy['passes'];
  readonly #sae: Transcoder;
  readonly #reads: ChangedPlace;
  readonly #predicts: ChangedPlace;

  constructor(
    sae: Transcoder,
    { reads, predicts }: { reads: ChangedPlace; predicts: ChangedPlace },
    { variants, wanted, positions }: StrategyRun,
  ) {
    this.#sae = sae;
    this.#reads = reads;
    this.#predicts = predicts;
    this.variants = variants;
    this.positions = positions;
    const { layer } = predicts;
    this.slots = { reference: [], strict: [{ layer, splicedAt: layer }] };
    this.residuals = [...new Set([residualOf(reads), residualOf(predicts)])];
    const strict = wanted.protocols.has('strict');
    this.sites = strict ? sitesOf([reads, predicts]) : [];
    const targets = variants.map(({ owner }) => targetsFor(owner, ['strict'], 0));
    const zero = zeroLaneOrSite(predicts, { positions, targets: targets.flat() });
    const isZeroed = strict && wanted.zero;
    this.zeroSites = isZeroed && zero.site !== null ? [zero.site] : [];
    const spliced = targets.map((own): LanePlan => ({ start: layer, zero: false, targets: own }));
    const zeroLane = isZeroed && zero.lane !== null ? [zero.lane] : [];
    this.lanes = strict && wanted.splice ? [...spliced, ...zeroLane] : [];
    this.passes = { encode: strict ? 1 : 0, decode: variants.map(() => (strict ? 1 : 0)) };
  }

  enter(clean: CleanPass, into: Collector, part = wholePart): LaneStart[] {
    if (this.passes.encode === 0) return [];
    const sae = this.#sae;
    clean.see([this.#reads, this.#predicts]);
    const input = clean.input(this.#readsSite, sae.normalization);
    const own = clean.at(this.#predicts); // [B, T, w]
    return scope(() => {
      const rows = inputOf(clean, this.#reads, input.x.dtype); // [N, d]
      const target = inputOf(clean, this.#predicts, input.x.dtype); // [N, dOut]
      const a = sae.preactivate(input.x); // [N, m]
      const latentsOf = new LatentsOf(sae, a);
      decideSkip(
        sae,
        () => [
          {
            target,
            without: sae.predict(sae.activate(a, this.variants[0]!.sparsity), null),
            assumed: sae.skip(rows)!,
            transposed: sae.skip(rows, { transposed: true })!,
          },
        ],
        into,
      );
      const skipped = sae.skip(rows);
      const count = this.variants.length;
      const states = this.variants.flatMap(({ owner, sparsity }, variant): LaneStart[] => {
        const isSpliced = variant < this.lanes.length && part.takes(variant);
        if (!part.measures && !isSpliced) return [];
        const latents = latentsOf.under(sparsity);
        const predicted = sae.predict(latents, skipped); // [N, dOut]
        const targets = targetsFor(owner, ['strict'], 0);
        if (part.measures) {
          measure({ x: target, reconstruction: predicted, latents, targets }, into);
          into.latents(owner, latents);
        }
        if (!isSpliced) return [];
        const value = predicted.to({ dtype: own.dtype }).reshape(own.shape);
        return [startAt(this.#predicts, this.#leaving(into, own, value))];
      });
      const isZeroed = this.lanes.length > count && part.takes(count);
      const zero = isZeroed ? [startAt(this.#predicts, this.#leaving(into, own, own.mul(0)))] : [];
      return [...states, ...zero];
    });
  }

  get #readsSite(): number | { site: NonNullable<ChangedPlace['site']>; layer: number } {
    const { site, layer } = this.#reads;
    return site === null ? layer : { site, layer };
  }

  #leaving(into: Collector, own: Tensor, value: Tensor): Tensor {
    return leaving(into.positions.excluded(this.positions), own, value);
  }
}
