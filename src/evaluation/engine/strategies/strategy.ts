/** The strategy of an SAE: how it is measured and spliced, as the engine needs to know it. */
import type { Target } from '../../../metrics/keys.js';
import type { AnyProtocol, Protocol } from '../../../metrics/metric.js';
import type { Table } from '../../../metrics/table.js';
import type { Override } from '../../../sae/index.js';
import { ops, type Tensor } from '../../../torch/index.js';
import type { PeerRun } from '../../peers.js';
import { everyPosition, type PositionSet } from '../../positions.js';
import type { CleanPass, SiteInBlock } from '../clean-pass.js';
import type { Collector } from '../collector.js';
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
  /** The protocols of other tools; default none. */
  peers?: readonly PeerRun[];
  /** Whether a metric compares logits of spliced passes. */
  splice: boolean;
  /** Whether a metric needs the sites set to zero. */
  zero: boolean;
  /** The requested metrics; default all. */
  metrics?: Table;
  /** Contexts of each latent in the latents table; default: there is no table. */
  contexts?: number | undefined;
}

/** One setting of an SAE in a run: the request's own, or a point of a sweep. */
export interface Variant {
  owner: string;
  /** Its change of the SAE's latents: their sparsity, or how many of them count. */
  sparsity: Override;
}

/** A residual stream set to zero: at every position, or at those that a set does not exclude. */
export interface ZeroSite {
  readonly layer: number;
  readonly targets: readonly Target[];
  readonly positions: PositionSet;
}

/** Protocols that share the passes of an intervention. */
export interface Intervention<P extends AnyProtocol = AnyProtocol> {
  readonly protocols: readonly P[];
  /** Positions that the passes change. */
  readonly positions: PositionSet;
}

/**
 * The interventions that protocols need: `reference` changes every position, so that it shares the
 * passes of `strict` unless `strict` leaves some positions as they are.
 */
export function interventions(
  protocols: Iterable<Protocol>,
  positions: PositionSet,
): Intervention<Protocol>[] {
  const all = [...protocols];
  if (positions.key === everyPosition.key || !all.includes('strict'))
    return all.length === 0 ? [] : [{ protocols: all, positions: everyPosition }];
  const others = all.filter((protocol) => protocol !== 'strict');
  return [
    ...(others.length === 0 ? [] : [{ protocols: others, positions: everyPosition }]),
    { protocols: ['strict'], positions },
  ];
}

/** Interventions, and those of other tools: they share passes that change the same positions. */
export function withPeers(
  own: readonly Intervention[],
  peers: readonly { protocol: AnyProtocol; positions: PositionSet }[],
): Intervention[] {
  const all = [...own];
  for (const { protocol, positions } of peers) {
    const at = all.findIndex((one) => one.positions.key === positions.key);
    if (at < 0) all.push({ protocols: [protocol], positions });
    else all[at] = { ...all[at]!, protocols: [...all[at]!.protocols, protocol] };
  }
  return all;
}

/** `changed` [B, T, w], but `own` at the positions that are left as they are. */
export function leaving(excluded: Tensor | null, own: Tensor, changed: Tensor): Tensor {
  return excluded === null ? changed : ops.where(excluded, own, changed);
}

/** A part of a strategy's work in a micro-batch: all of it, unless its lanes do not fit at once. */
export interface Part {
  /** Whether the SAE is measured: once in a micro-batch. */
  readonly measures: boolean;
  /** Whether a lane, by its place in `lanes`, begins. */
  takes(lane: number): boolean;
  /** The one layer that is done, of an SAE that works on each of its layers by itself. */
  readonly layer?: number;
}

/** Everything at once. */
export const wholePart: Part = { measures: true, takes: () => true };

/** The SAE is measured, and nothing is spliced. */
export const measuredPart: Part = { measures: true, takes: () => false };

/** Settings that every strategy is made with. */
export interface StrategyRun {
  readonly variants: readonly Variant[];
  readonly wanted: Wanted;
  readonly positions: PositionSet;
}

export interface Strategy {
  readonly variants: readonly Variant[];
  readonly slots: Readonly<Record<Protocol, readonly Slot[]>>;
  /** Layers whose clean residual stream it reads. */
  readonly residuals: readonly number[];
  /** Sites inside blocks that it reads. */
  readonly sites: readonly SiteInBlock[];
  /** Whether latents of a token depend on the tokens before it; default false. */
  readonly looksBack?: boolean;
  /** Whether it works on each of its layers by itself, so that each may be a part. */
  readonly isByLayer?: true;
  /** Those of them on which it is measured; default all. */
  readonly measuredOn?: readonly number[];
  /** The protocols of other tools that it has numbers under; default none. */
  readonly peers?: readonly PeerRun[];
  /** Vectors that depend on the SAE alone, by key: they are added once in a run. */
  ofWeights?(): [key: string, values: Float64Array][];
  /** The positions that it counts, and splices, under `strict`. */
  readonly positions: PositionSet;
  /** Layers whose residual stream is set to zero, and where their cross-entropy goes. */
  readonly zeroSites: readonly ZeroSite[];
  /**
   * The lanes of a micro-batch: what the engine runs, `--explain` prices and memory is sized by.
   */
  readonly lanes: readonly LanePlan[];
  /** Times that a token goes through the encoder, and through the decoder for each variant. */
  readonly passes: { readonly encode: number; readonly decode: readonly number[] };
  /**
   * Measures the SAE on the clean pass, which has everything that the part reads.
   * @param part what of it is done; default everything.
   * @returns a beginning for each of `lanes` that the part takes, in their order. Runs no block.
   *   Frees everything else it makes.
   */
  enter(clean: CleanPass, into: Collector, part?: Part): LaneStart[];
}

/** The highest layer at which an SAE is measured; 0 if there is none. */
export function measuredDepth(
  strategies: readonly Pick<Strategy, 'residuals' | 'measuredOn' | 'sites'>[],
): number {
  const layers = strategies.flatMap(({ residuals, measuredOn = residuals, sites }) => [
    ...measuredOn,
    ...sites.map(({ layer }) => layer),
  ]);
  return Math.max(0, ...layers);
}

/** Targets of one slot under all the protocols given. */
export function targetsFor<P extends AnyProtocol>(
  owner: string,
  protocols: Iterable<P>,
  slot: number,
): (Target & { protocol: P })[] {
  return [...protocols].map((protocol) => ({ owner, protocol, slot }));
}
