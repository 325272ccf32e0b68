/**
 * RouteSAE: the routing is decided on the clean pass. Hard: each token is spliced at its own layer,
 * as the residual stream stands there in the intervened pass, without the scaling by p. Soft
 * (`strict` alone): layer j's residual stream becomes r_j + p_j (x̂ − x) · std_j at every routed
 * layer of one pass, x and x̂ from the clean pass.
 */
import type { Target } from '../../../metrics/keys.js';
import type { Protocol } from '../../../metrics/metric.js';
import {
  denormalize,
  normalize,
  type RouteSAE,
  type Routing,
  type Sparsity,
} from '../../../sae/index.js';
import { fromTypedArray, ops, scope, type DType, type Tensor } from '../../../torch/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { Lane } from '../lanes.js';
import { measure } from '../measure.js';
import { targetsFor, type Slot, type Strategy, type Variant, type Wanted } from './strategy.js';

type Edit = (r: Tensor) => Tensor;

export interface RoutedOptions {
  layers: readonly number[];
  routing: 'hard' | 'soft';
  saeDtype: DType;
}

export class Routed implements Strategy {
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  readonly zeroSites: Strategy['zeroSites'] = [];
  readonly laneStarts: readonly number[];
  readonly passes: Strategy['passes'];
  /** Protocols under which this routing has a splice. */
  readonly #spliced: Protocol[];

  constructor(
    private readonly sae: RouteSAE,
    private readonly options: RoutedOptions,
    readonly variants: readonly Variant[],
    private readonly wanted: Wanted,
  ) {
    const { layers, routing } = options;
    this.#spliced = wanted.splice
      ? [...wanted.protocols].filter((protocol) => protocol === 'strict' || routing === 'hard')
      : [];
    this.slots = {
      reference: [{ layer: null, splicedAt: routing === 'hard' ? layers[0]! : null }],
      strict: [{ layer: null, splicedAt: layers[0]! }],
    };
    this.residuals = layers;
    const lanes = this.#spliced.length === 0 ? 0 : variants.length + (wanted.zero ? 1 : 0);
    this.laneStarts = Array.from({ length: lanes }, () => layers[0]!);
    // Hard: each token once more, at its own layer as it stands in the intervened pass.
    const again = this.#spliced.length > 0 && routing === 'hard' ? 1 : 0;
    this.passes = { encode: 1 + again * variants.length, decode: 1 + again };
  }

  enter(clean: CleanPass, into: Collector): Lane[] {
    const { layers, routing } = this.options;
    const x = clean.routed(layers); // [N, R, d]
    // What the edits of later layers read leaves the scope with the lanes.
    const held: Tensor[] = [];
    const { lanes } = scope(() => {
      const routes = this.sae.route(x);
      held.push(routes.p);
      const input =
        // [N, d]
        routing === 'hard' ? this.#picked(x, routes) : ops.einsum('nr,nrd->nd', [routes.p, x]);
      const a = this.sae.preactivate(input); // [N, m]
      const tokens = routing === 'hard' && this.#spliced.length > 0 ? this.#tokensOf(routes) : [];
      held.push(...tokens);
      const lanes = this.variants.flatMap(({ owner, sparsity }): Lane[] => {
        const latents = this.sae.activate(a, sparsity);
        const reconstruction = this.sae.decode(latents); // [N, d]
        measure(
          {
            x: input,
            reconstruction,
            latents,
            routed: (counted) => this.#positions(routes, counted),
            targets: targetsFor(owner, this.wanted.protocols, 0),
          },
          into,
        );
        if (this.#spliced.length === 0) return [];
        const error = reconstruction.sub(input);
        held.push(error);
        const edits =
          routing === 'hard'
            ? tokens.map(
                (rows): Edit =>
                  (r) =>
                    this.#spliceRows(r, rows, sparsity),
              )
            : this.#softEdits(routes, error);
        return [
          this.#lane(clean, edits, { zero: false, targets: targetsFor(owner, this.#spliced, 0) }),
        ];
      });
      if (this.#spliced.length > 0 && this.wanted.zero) {
        const edits =
          routing === 'hard'
            ? tokens.map(
                (rows): Edit =>
                  (r) =>
                    zeroRows(r, rows),
              )
            : this.#softZeros(routes);
        const targets = this.variants.flatMap(({ owner }) => targetsFor(owner, this.#spliced, 0));
        lanes.push(this.#lane(clean, edits, { zero: true, targets }));
      }
      return { lanes, held };
    });
    return lanes;
  }

  /** x_{j*} · p_{j*}: [N, d]. */
  #picked(x: Tensor, { layer, weight }: Routing): Tensor {
    const index = layer.reshape([-1, 1, 1]).expand([-1, 1, x.shape[2]!]);
    return x.gather(1, index).squeeze(1).mul(weight);
  }

  /** Positions per layer among those that count: [R]; soft: the sum of p. */
  #positions({ p, layer }: Routing, counted: Tensor): Tensor {
    if (this.options.routing === 'soft')
      return ops.where(counted.unsqueeze(-1), p, 0).sum([0], { dtype: 'float64' });
    return ops
      .zeros([this.sae.R], { dtype: 'float64', device: p.device })
      .index_add_(0, layer, counted.to({ dtype: 'float64' }));
  }

  /** The rows routed to each layer, brought to the host once for a micro-batch: R × [n_j]. */
  #tokensOf({ layer }: Routing): Tensor[] {
    const rows: bigint[][] = Array.from({ length: this.sae.R }, () => []);
    (layer.toTypedArray() as BigInt64Array).forEach((j, row) => rows[Number(j)]!.push(BigInt(row)));
    return rows.map((indices) =>
      fromTypedArray(BigInt64Array.from(indices), [indices.length], { device: layer.device }),
    );
  }

  /** Splices some tokens of r [B, T, d] as it stands. */
  #spliceRows(r: Tensor, rows: Tensor, sparsity: Sparsity): Tensor {
    if (rows.numel === 0) return r;
    const flat = r.reshape([-1, this.sae.d]);
    const site = normalize(flat.index_select(0, rows), this.options.saeDtype);
    const reconstruction = this.sae.decode(
      this.sae.activate(this.sae.preactivate(site.x), sparsity),
    );
    return flat.index_copy(0, rows, denormalize(reconstruction, site)).reshape(r.shape);
  }

  /** `error`: x̂ − x of the clean pass, [N, d]. */
  #softEdits({ p }: Routing, error: Tensor): Edit[] {
    return this.options.layers.map((_, j) => (r: Tensor): Tensor => {
      const flat = r.reshape([-1, this.sae.d]);
      const { std } = normalize(flat, this.options.saeDtype);
      return flat
        .add(error.mul(p.narrow(1, j, 1)).mul(std))
        .to({ dtype: r.dtype })
        .reshape(r.shape);
    });
  }

  #softZeros({ p }: Routing): Edit[] {
    return this.options.layers.map(
      (_, j) =>
        (r: Tensor): Tensor =>
          r
            .reshape([-1, this.sae.d])
            .mul(p.narrow(1, j, 1).neg().add(1))
            .to({ dtype: r.dtype })
            .reshape(r.shape),
    );
  }

  /**
   * A lane from the first routed layer on: its edit there is applied at once, the others as their
   * layers come.
   */
  #lane(
    clean: CleanPass,
    edits: readonly Edit[],
    { zero, targets }: { zero: boolean; targets: readonly Target[] },
  ): Lane {
    const [start, ...later] = this.options.layers;
    const residual = clean.residual(start!);
    const state = edits[0]!(residual);
    return {
      start: start!,
      state: state === residual ? state.clone() : state,
      edits: new Map(later.map((layer, j) => [layer, edits[j + 1]!])),
      zero,
      targets,
    };
  }
}

function zeroRows(r: Tensor, rows: Tensor): Tensor {
  return rows.numel === 0
    ? r
    : r.reshape([-1, r.shape[2]!]).index_fill(0, rows, 0).reshape(r.shape);
}
