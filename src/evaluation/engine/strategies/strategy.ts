/** How a kind is measured and spliced: what each kind's strategy tells the engine. */
import type { Target } from '../../../metrics/keys.js';
import type { Protocol } from '../../../metrics/metric.js';
import type { Table } from '../../../metrics/table.js';
import type { Sparsity } from '../../../sae/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { Lane } from '../lanes.js';

/** A place where an SAE is measured and spliced under a protocol. */
export interface Slot {
  /** The layer it is listed under; null for kinds that use their layers together. */
  layer: number | null;
  /**
   * The layer whose residual stream is replaced; null where there is no splice under this protocol.
   */
  splicedAt: number | null;
}

/** What a request wants computed. */
export interface Wanted {
  protocols: ReadonlySet<Protocol>;
  /** Metrics that compare logits of spliced passes. */
  splice: boolean;
  /** Metrics that need the sites set to zero. */
  zero: boolean;
  /** The requested metrics; default all. */
  metrics?: Table;
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
  /** First layers of the lanes that {@link enter} returns for each micro-batch, for the plan. */
  readonly laneStarts: readonly number[];
  /**
   * How often a token goes through the encoder, and through the decoder for each variant, for the
   * plan.
   */
  readonly passes: { readonly encode: number; readonly decode: number };
  /** Measures the SAE on the clean pass; returns the lanes to run. Frees what it makes besides. */
  enter(clean: CleanPass, into: Collector): Lane[];
}

/** Targets of one slot under all the protocols given. */
export function targetsFor(owner: string, protocols: Iterable<Protocol>, slot: number): Target[] {
  return [...protocols].map((protocol) => ({ owner, protocol, slot }));
}
