/**
 * RouteSAE: the routing is decided on the clean pass. Hard: each token is spliced at its own layer,
 * as the residual stream stands there in the intervened pass, without the scaling by p. Soft
 * (`strict` alone): layer j's residual stream becomes r_j + p_j (x̂ − x) · std_j at every routed
 * layer of one pass, x and x̂ from the clean pass.
 */
import type { Protocol } from '../../../metrics/metric.js';
import type { Override, RoutedDictionary } from '../../../sae/index.js';
import type { Routing } from '../../../sae/kinds/routesae.js';
import { ops, scope, type DType, type Tensor } from '../../../torch/index.js';
import type { PositionSet } from '../../positions.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import { LatentsOf } from '../latents-of.js';
import type { Edit, LanePlan, LaneStart } from '../lanes.js';
import { measure } from '../measure.js';
import {
  interventions,
  targetsFor,
  wholePart,
  type Intervention,
  type Slot,
  type Strategy,
  type StrategyRun,
  type Variant,
} from './strategy.js';

export interface RoutedOptions extends StrategyRun {
  layers: readonly number[];
  routing: 'hard' | 'soft';
  saeDtype: DType;
}

export class Routed implements Strategy {
  readonly variants: readonly Variant[];
  readonly positions: PositionSet;
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  readonly sites: Strategy['sites'] = [];
  readonly zeroSites: Strategy['zeroSites'] = [];
  readonly lanes: readonly LanePlan[];
  readonly passes: Strategy['passes'];
  readonly #sae: RoutedDictionary;
  readonly #interventions: readonly Intervention[];
  readonly #isHard: boolean;
  readonly #saeDtype: DType;
  readonly #protocols: ReadonlySet<Protocol>;

  constructor(
    sae: RoutedDictionary,
    { layers, routing, saeDtype, variants, wanted, positions }: RoutedOptions,
  ) {
    this.#sae = sae;
    this.positions = positions;
    this.#isHard = routing === 'hard';
    this.#saeDtype = saeDtype;
    this.#protocols = wanted.protocols;
    this.variants = variants;
    this.residuals = layers;
    const start = layers[0]!;
    this.slots = {
      reference: [{ layer: null, splicedAt: this.#isHard ? start : null }],
      strict: [{ layer: null, splicedAt: start }],
    };
    // Protocols under which this routing has a splice.
    const spliced = [...wanted.protocols].filter(
      (protocol) => wanted.splice && this.slots[protocol][0]!.splicedAt !== null,
    );
    this.#interventions = interventions(spliced, positions);
    this.lanes = this.#interventions.flatMap(({ protocols }) => {
      const targets = variants.map(({ owner }) => targetsFor(owner, protocols, 0));
      const splices = targets.map((own) => ({ start, zero: false, targets: own }));
      return [...splices, ...(wanted.zero ? [{ start, zero: true, targets: targets.flat() }] : [])];
    });
    // Hard: each token once more, at its own layer as it stands in the intervened pass.
    const again = this.#isHard ? this.#interventions.length : 0;
    this.passes = {
      encode: 1 + again * variants.length,
      decode: variants.map(() => 1 + again),
    };
  }

  enter(clean: CleanPass, into: Collector, part = wholePart): LaneStart[] {
    const sae = this.#sae;
    const normalizations = this.residuals.map(() => sae.normalization);
    const x = clean.stacked(this.residuals, normalizations); // [N, R, d]
    // Tensors that the edits of later layers read leave the scope with the lanes.
    const held: Tensor[] = [];
    const { starts } = scope(() => {
      const routes = sae.route(x);
      held.push(routes.p);
      // [N, d]
      const input = this.#isHard ? picked(x, routes) : blended(x, routes);
      const latentsOf = new LatentsOf(sae, sae.preactivate(input));
      const errors = this.variants.map(({ owner, sparsity }): Tensor | null => {
        // A part that begins lanes alone needs the reconstructions of soft routing.
        if (!part.measures && (this.lanes.length === 0 || this.#isHard)) return null;
        const latents = latentsOf.under(sparsity);
        const reconstruction = sae.decode(latents); // [N, d]
        const targets = targetsFor(owner, this.#protocols, 0);
        const routed = (counted: Tensor): Tensor => this.#routedPositions(routes, counted);
        if (part.measures) {
          measure({ x: input, reconstruction, latents, routed, targets }, into);
          into.latents(owner, latents);
        }
        return this.lanes.length === 0 || this.#isHard ? null : reconstruction.sub(input);
      });
      const zero = this.lanes.some((lane) => lane.zero);
      let lane = 0;
      const starts = this.#interventions.flatMap(({ positions }): LaneStart[] => {
        const from = lane;
        lane += this.variants.length + (zero ? 1 : 0);
        const taken = Array.from({ length: lane - from }, (_, each) => part.takes(from + each));
        if (!taken.includes(true)) return [];
        const excluded = into.positions.excluded(positions)?.reshape([-1, 1]) ?? null; // [N, 1]
        const tokens = this.#isHard ? this.#tokensOf(routes, excluded) : [];
        const p = excluded === null ? routes.p : routes.p.masked_fill(excluded, 0);
        held.push(...tokens, p);
        const edits = errors.map((error, variant): Edit[] => {
          if (error === null)
            return tokens.map(
              (rows) => (r) => this.#spliceRows(r, rows, this.variants[variant]!.sparsity),
            );
          const own = excluded === null ? error : error.masked_fill(excluded, 0);
          held.push(own);
          return this.#softEdits(p, own);
        });
        const toZero = (): Edit[] =>
          this.#isHard
            ? tokens.map((rows) => (r) => zeroRows(r, rows))
            : this.residuals.map((_, j) => (r) => fade(r, p.narrow(1, j, 1)));
        return [...edits, ...(zero ? [toZero()] : [])]
          .filter((_, each) => taken[each])
          .map((each) => this.#begin(clean, each));
      });
      return { starts, held };
    });
    return starts;
  }

  /** Positions of each layer among those that count: [R]; soft: the sum of p. */
  #routedPositions({ p, layer }: Routing, counted: Tensor): Tensor {
    if (!this.#isHard) return ops.where(counted.unsqueeze(-1), p, 0).sum([0], { dtype: 'float64' });
    const positions = ops.zeros([this.#sae.R], { dtype: 'float64', device: p.device });
    return positions.index_add_(0, layer, counted.to({ dtype: 'float64' }));
  }

  /**
   * The rows routed to each layer: R × [n_j]. Their numbers alone go to the host, once for an
   * intervention. `excluded`: rows that are left as they are, [N, 1]; null if there are none.
   */
  #tokensOf({ layer }: Routing, excluded: Tensor | null): Tensor[] {
    const { R } = this.#sae;
    const { device } = layer;
    // Rows that are left as they are come last.
    const routed = excluded === null ? layer : layer.masked_fill(excluded.squeeze(-1), R);
    const rows = ops.argsort(routed, { stable: true }); // [N]
    const layers = ops.arange(R, { dtype: 'int64', device }).unsqueeze(1); // [R, 1]
    const counts = routed.unsqueeze(0).eq(layers).sum([1]).toTypedArray() as BigInt64Array; // [R]
    let from = 0;
    return Array.from(counts, (count) => {
      const own = rows.narrow(0, from, Number(count)); // [n_j]
      from += Number(count);
      return own;
    });
  }

  /** Splices some tokens of r [B, T, d] as it stands. */
  #spliceRows(r: Tensor, rows: Tensor, sparsity: Override): Tensor {
    if (rows.numel === 0) return r;
    const sae = this.#sae;
    const flat = r.reshape([-1, sae.d]);
    const input = sae.normalization.apply(flat.index_select(0, rows), this.#saeDtype);
    const reconstruction = sae.decode(sae.activate(sae.preactivate(input.x), sparsity));
    return flat.index_copy(0, rows, input.restore(reconstruction)).reshape(r.shape);
  }

  /** `error`: x̂ − x of the clean pass, [N, d]. */
  #softEdits(p: Tensor, error: Tensor): Edit[] {
    return this.residuals.map((_, j) => (r) => {
      const flat = r.reshape([-1, this.#sae.d]);
      const { restoreDifference } = this.#sae.normalization.apply(flat, this.#saeDtype);
      const share = restoreDifference(error.mul(p.narrow(1, j, 1)));
      return flat.add(share).to({ dtype: r.dtype }).reshape(r.shape);
    });
  }

  /** A lane from the first routed layer on: its edit there is applied at once. */
  #begin(clean: CleanPass, [first, ...later]: readonly Edit[]): LaneStart {
    const residual = clean.residual(this.residuals[0]!);
    const state = first!(residual);
    return {
      state: state === residual ? state.clone() : state,
      edits: new Map(later.map((edit, j) => [this.residuals[j + 1]!, edit])),
    };
  }
}

/** x_{j*} · p_{j*}: x [N, R, d] → [N, d]. */
function picked(x: Tensor, { layer, weight }: Routing): Tensor {
  const index = layer.reshape([-1, 1, 1]).expand([-1, 1, x.shape[2]!]);
  return x.gather(1, index).squeeze(1).mul(weight).to({ dtype: x.dtype });
}

/** Σ_j p_j x_j: x [N, R, d] → [N, d]. */
function blended(x: Tensor, { p }: Routing): Tensor {
  const blend = ops.einsum('nr,nrd->nd', [p, x.to({ dtype: p.dtype })]);
  return blend.to({ dtype: x.dtype });
}

function zeroRows(r: Tensor, rows: Tensor): Tensor {
  if (rows.numel === 0) return r;
  return r.reshape([-1, r.shape[2]!]).index_fill(0, rows, 0).reshape(r.shape);
}

/** (1 − p) r: r [B, T, d], p [N, 1]. */
function fade(r: Tensor, p: Tensor): Tensor {
  const flat = r.reshape([-1, r.shape[2]!]);
  return flat.mul(p.neg().add(1)).to({ dtype: r.dtype }).reshape(r.shape);
}
