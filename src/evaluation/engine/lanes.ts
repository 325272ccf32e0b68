/**
 * Lanes. A lane is a copy of the micro-batch whose residual stream was changed at some layer. It is
 * declared before the run, and begins when the clean pass has what its change is made of.
 */
import type { Target } from '../../metrics/keys.js';
import type { Tensor } from '../../torch/index.js';
import type { SiteInBlock } from './clean-pass.js';
import type { Walk } from './walk.js';

/** A lane as it is declared: where it begins and where its numbers go. */
export interface LanePlan {
  /** The first layer whose residual stream the lane replaces. */
  readonly start: number;
  /** Blocks that it went through by itself before it joined the others there; default 0. */
  readonly through?: number;
  /** Whether its most likely next tokens are compared with those of the clean pass. */
  readonly agreement?: true;
  /** Whether sites are set to zero: gives `ceZero` instead of `kl` and `ceSpliced`. */
  readonly zero: boolean;
  readonly targets: readonly Target[];
}

/** A change of the residual stream [B, T, d] as it stands at a layer. */
export type Edit = (r: Tensor) => Tensor;

/** The state in which a lane begins. */
export interface StateStart {
  /** [B, T, d]; whoever runs the lane takes it over. */
  readonly state: Tensor;
  /** Changes at later layers. */
  readonly edits?: ReadonlyMap<number, Edit>;
}

/** A lane that begins with what its first layer's block gives if a site in it has another value. */
export interface SiteStart {
  readonly place: SiteInBlock;
  /** [B, T, w]; whoever runs the lane takes it over. */
  readonly value: Tensor;
}

/** A lane that begins with the end of a pass of its own. */
export interface WalkStart {
  readonly walk: Walk;
}

/** How a lane begins. */
export type LaneStart = StateStart | SiteStart | WalkStart;
