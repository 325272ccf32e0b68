/**
 * A place of the model that is read, replaced or set to zero: a residual stream, or inside a block.
 */
import type { Target } from '../../../metrics/keys.js';
import type { BlockSite } from '../../../lm/index.js';
import type { DType, Tensor } from '../../../torch/index.js';
import type { PositionSet } from '../../positions.js';
import type { CleanPass, SiteInBlock } from '../clean-pass.js';
import type { LanePlan, LaneStart } from '../lanes.js';
import type { ZeroSite } from './strategy.js';

export interface ChangedPlace {
  readonly layer: number;
  /** Site inside the block; null for the residual stream after it. */
  readonly site: BlockSite | null;
}

/** The layer whose residual stream it is, or goes into its block. */
export const residualOf = ({ layer, site }: ChangedPlace): number =>
  site === null ? layer : layer - 1;

/** Those of some places that lie inside blocks. */
export const sitesOf = (places: readonly ChangedPlace[]): SiteInBlock[] =>
  places.flatMap(({ layer, site }) => (site === null ? [] : [{ layer, site }]));

/** Activations of the clean pass at a place, in an SAE's dtype: [N, w]. */
export function inputOf(clean: CleanPass, place: ChangedPlace, dtype: DType): Tensor {
  const own = clean.at(place);
  return own.reshape([-1, own.shape.at(-1)!]).to({ dtype });
}

/** The beginning of a lane in which `value` stands at a place. */
export function startAt({ layer, site }: ChangedPlace, value: Tensor): LaneStart {
  return site === null ? { state: value } : { place: { layer, site }, value };
}

/**
 * How a place is set to zero: by a lane, or if it is a residual stream by a pass that SAEs share.
 */
export function zeroLaneOrSite(
  { layer, site }: ChangedPlace,
  { positions, targets }: { positions: PositionSet; targets: readonly Target[] },
): { lane: LanePlan | null; site: ZeroSite | null } {
  return site === null
    ? { lane: null, site: { layer, positions, targets } }
    : { lane: { start: layer, zero: true, targets }, site: null };
}
