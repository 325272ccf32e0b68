/** The strategy of an SAE: how it is measured and spliced, as the engine needs to know it. */
import type { Protocol } from '../../../metrics/metric.js';
import type { Sparsity } from '../../../sae/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector, Target } from '../collector.js';
import type { LanePlan, LaneStart } from '../lanes.js';

/** A place at which an SAE is measured and spliced under a protocol. */
export interface Slot {
  /** The layer it is listed under; null for kinds that use their layers together. */
  layer: number | null;
  /** The layer whose residual stream is replaced; null if this protocol has no splice. */
  splicedAt: number | null;
}

/** The parts of a run that a request asks for. */
export interface Wanted {
  protocols: ReadonlySet<Protocol>;
  /** Whether a metric compares logits of spliced passes. */
  splice: boolean;
  /** Whether a metric needs the sites set to zero. */
  zero: boolean;
}

/** One setting of an SAE in a run: the request's own, or a point of a sweep. */
export interface Variant {
  owner: string;
  sparsity: Sparsity;
}

export interface Strategy {
  readonly variants: readonly Variant[];
  readonly slots: Readonly<Record<Protocol, readonly Slot[]>>;
  /** Layers whose clean residual stream it reads. */
  readonly residuals: readonly number[];
  /** Sites set to zero as a whole, and where their cross-entropy goes. */
  readonly zeroSites: readonly { layer: number; targets: readonly Target[] }[];
  /**
   * The lanes of a micro-batch: what the engine runs, `--explain` prices and memory is sized by.
   */
  readonly lanes: readonly LanePlan[];
  /** Times that a token goes through the encoder, and through the decoder for each variant. */
  readonly passes: { readonly encode: number; readonly decode: readonly number[] };
  /**
   * Measures the SAE on the clean pass.
   * @returns a beginning for each of `lanes`, in their order. Frees everything else it makes.
   */
  enter(clean: CleanPass, into: Collector): LaneStart[];
}

/** Targets of one slot under all the protocols given. */
export function targetsFor(owner: string, protocols: Iterable<Protocol>, slot: number): Target[] {
  return [...protocols].map((protocol) => ({ owner, protocol, slot }));
}
