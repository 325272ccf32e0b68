/** The clean pass of a micro-batch: the one forward pass that everything else starts from. */
import type { AttentionContext, BlockSite, LanguageModel } from '../../lm/index.js';
import {
  denormalize,
  normalize,
  pre,
  type InputNormalization,
  type Normalized,
  type SaeInput,
} from '../../sae/index.js';
import {
  isTensor,
  keep as keepTensor,
  ops,
  scope,
  type DType,
  type Tensor,
} from '../../torch/index.js';

/** A place inside block `layer`. */
export interface SiteInBlock {
  readonly site: BlockSite;
  readonly layer: number;
}

export interface CleanPassOptions {
  model: LanguageModel;
  ids: Tensor; // [B, T]
  context: AttentionContext;
  /** Layers (0…L) whose residual stream is kept. */
  keep: ReadonlySet<number>;
  saeDtype: DType;
}

export class CleanPass {
  readonly B: number;
  readonly T: number;
  readonly d: number;
  /** h_L, after the final norm: [B, T, d]. */
  readonly finalHidden: Tensor;
  readonly #residuals: ReadonlyMap<number, Tensor>;
  readonly #saeDtype: DType;
  readonly #normalized = new Map<string, Normalized>();
  readonly #inputs = new Map<string, SaeInput>();
  readonly #sites = new Map<string, Tensor>();
  readonly #model: LanguageModel;
  readonly #context: AttentionContext;
  #routed: Tensor | null = null;

  constructor({ model, ids, context, keep, saeDtype }: CleanPassOptions) {
    const kept = new Map<number, Tensor>();
    let r = model.embed(ids); // [B, T, d]
    if (keep.has(0)) kept.set(0, r);
    for (let i = 1; i <= model.layers; i++) {
      const next = model.block(i, r, context);
      if (!keep.has(i - 1)) r.dispose();
      r = next;
      if (keep.has(i)) kept.set(i, r);
    }
    this.finalHidden = model.finalNorm(r);
    if (!keep.has(model.layers)) r.dispose();
    [this.B, this.T] = ids.shape as [number, number];
    this.d = model.width;
    this.#residuals = kept;
    this.#model = model;
    this.#context = context;
    this.#saeDtype = saeDtype;
  }

  /** r_i: [B, T, d]. Shared: do not change it in place. */
  residual(layer: number): Tensor {
    const kept = this.#residuals.get(layer);
    if (kept === undefined) throw new Error(`the residual stream of layer ${layer} was not kept`);
    return kept;
  }

  /**
   * `pre` of r_i, or of h_L with `final`: x [N, d]. Computed once; make it outside scopes that
   * would free it.
   */
  normalized(site: number | 'final'): Normalized {
    const key = String(site);
    let found = this.#normalized.get(key);
    if (found === undefined) {
      const h = site === 'final' ? this.finalHidden : this.residual(site);
      // In a scope: a view that stays would hold the residual stream's memory.
      found = scope(() => normalize(h.reshape([-1, this.d]), this.#saeDtype));
      this.#normalized.set(key, found);
    }
    return found;
  }

  /**
   * r_i, or h_L with `final`, as an SAE with that normalization reads it. Computed once, as {@link
   * normalized}.
   */
  input(site: number | 'final' | SiteInBlock, normalization: InputNormalization = pre): SaeInput {
    if (normalization === pre && typeof site !== 'object') {
      const normalized = this.normalized(site);
      return {
        x: normalized.x,
        restore: (reconstruction) => denormalize(reconstruction, normalized),
      };
    }
    const key = `${typeof site === 'object' ? `${site.site} ${site.layer}` : site} ${normalization.key}`;
    let found = this.#inputs.get(key);
    if (found === undefined) {
      const h =
        typeof site === 'object'
          ? this.atSite(site)
          : site === 'final'
            ? this.finalHidden
            : this.residual(site);
      this.#inputs.set(
        key,
        (found = normalization.apply(h.reshape([-1, h.shape.at(-1)!]), this.#saeDtype)),
      );
    }
    return found;
  }

  /**
   * What its block computes at a site: [B, T, w]. Found by running that block once more, from a
   * residual stream that was kept.
   */
  atSite({ site, layer }: SiteInBlock): Tensor {
    const key = `${site} ${layer}`;
    let found = this.#sites.get(key);
    if (found === undefined) {
      let seen: Tensor | null = null;
      const after = this.#model.block(
        layer,
        this.residual(layer - 1),
        this.#context,
        (at, value) => {
          if (at === site) seen = keepTensor(value);
          return value;
        },
      );
      after.dispose();
      if (seen === null) throw new Error(`block ${layer} has no ${site}`);
      const held: Tensor = seen;
      found = scope(() => held.clone()); // belongs to the scope around, which the kept one does not
      held.dispose();
      this.#sites.set(key, found);
    }
    return found;
  }

  /** The residual stream after a block in which a site was replaced by `value`: [B, T, d]. */
  withSite({ site, layer }: SiteInBlock, value: Tensor): Tensor {
    return this.#model.block(layer, this.residual(layer - 1), this.#context, (at, own) =>
      at === site ? value : own,
    );
  }

  /** The routed layers' `pre(h)` side by side: [N, R, d]. Computed once, as {@link normalized}. */
  routed(layers: readonly number[]): Tensor {
    this.#routed ??= ops.stack(
      layers.map((layer) => this.normalized(layer).x),
      1,
    );
    return this.#routed;
  }

  /** Frees the residual streams of the sites and what was made of them; h_L stays. */
  releaseSites(): void {
    for (const residual of this.#residuals.values()) residual.dispose();
    for (const site of this.#normalized.values())
      for (const part of Object.values(site)) if (isTensor(part)) part.dispose();
    for (const { x } of this.#inputs.values()) x.dispose();
    for (const site of this.#sites.values()) site.dispose();
    this.#routed?.dispose();
  }
}
