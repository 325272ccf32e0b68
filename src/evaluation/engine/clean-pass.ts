/** The clean pass of a micro-batch: the one forward pass that everything else starts from. */
import { SaeEvalError } from '../../errors.js';
import type { AttentionContext, BlockSite, LanguageModel } from '../../lm/index.js';
import type { InputNormalization, SaeInput } from '../../sae/index.js';
import { keep as keepTensor, ops, scope, type DType, type Tensor } from '../../torch/index.js';

/** A place inside block `layer`. */
export interface SiteInBlock {
  readonly site: BlockSite;
  readonly layer: number;
  /** The part of its values that is read and replaced: `width` of them from `from` on. */
  readonly slice?: { readonly from: number; readonly width: number };
}

const keyOf = ({ site, layer }: SiteInBlock): string => `${site} ${layer}`;

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
  readonly #inputs = new Map<string, SaeInput>();
  readonly #sites = new Map<string, Tensor>();
  readonly #model: LanguageModel;
  readonly #context: AttentionContext;
  readonly #stacks = new Map<string, Tensor>();

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

  /** r_i, h_L (`final`) or a site inside a block: [B, T, w]. */
  #activations(site: number | 'final' | SiteInBlock): Tensor {
    if (typeof site === 'object') return this.atSite(site);
    return site === 'final' ? this.finalHidden : this.residual(site);
  }

  /**
   * Activations as an SAE with that normalization reads them: x [N, w]. Computed once; call it
   * outside scopes that would free it.
   */
  input(site: number | 'final' | SiteInBlock, normalization: InputNormalization): SaeInput {
    const place =
      typeof site === 'object' ? `${site.site} ${site.layer} ${site.slice?.from ?? ''}` : site;
    const key = `${place} ${normalization.key}`;
    let found = this.#inputs.get(key);
    if (found === undefined) {
      const h = this.#activations(site);
      const rows = h.reshape([-1, h.shape.at(-1)!]); // [N, w]
      found = normalization.apply(rows, this.#saeDtype);
      // A view that stays would hold the memory of the residual stream.
      if (found.x !== rows) rows.dispose();
      this.#inputs.set(key, found);
    }
    return found;
  }

  /** The inputs of several layers side by side: [N, R, d]. Computed once, as {@link input}. */
  stacked(layers: readonly number[], normalizations: readonly InputNormalization[]): Tensor {
    const key = layers.map((layer, j) => `${layer} ${normalizations[j]!.key}`).join();
    let found = this.#stacks.get(key);
    if (found === undefined) {
      found = ops.stack(
        layers.map((layer, j) => this.input(layer, normalizations[j]!).x),
        1,
      );
      this.#stacks.set(key, found);
    }
    return found;
  }

  /**
   * Activations at a site inside a block, or the slice of them: [B, T, w]. That block runs once
   * more, from a residual stream that was kept; call it outside scopes that would free it.
   */
  atSite({ slice, ...place }: SiteInBlock): Tensor {
    this.see([place]);
    const values = this.#sites.get(keyOf(place))!;
    return slice === undefined ? values : values.narrow(-1, slice.from, slice.width);
  }

  /** Runs blocks once more so that their sites are there: each block once for all of its sites. */
  see(places: readonly { layer: number; site: BlockSite | null }[]): void {
    const missing = places.filter(
      (place): place is SiteInBlock =>
        place.site !== null && !this.#sites.has(keyOf(place as SiteInBlock)),
    );
    for (const layer of new Set(missing.map((place) => place.layer)))
      this.#seeIn(
        layer,
        new Set(missing.flatMap((one) => (one.layer === layer ? [one.site] : []))),
      );
  }

  #seeIn(layer: number, sites: ReadonlySet<BlockSite>): void {
    const seen = new Map<BlockSite, Tensor>();
    try {
      const after = this.#model.block(
        layer,
        this.residual(layer - 1),
        this.#context,
        (at, value) => {
          if (sites.has(at)) seen.set(at, keepTensor(value));
          return value;
        },
      );
      after.dispose();
      for (const site of sites) {
        const held = seen.get(site);
        if (held === undefined)
          throw new SaeEvalError(
            'sae-option',
            `Block ${layer} of the model has no site ${site}: expected one of another hook point.`,
          );
        // It belongs to the scope around, which the kept one does not.
        this.#sites.set(
          keyOf({ site, layer }),
          scope(() => held.clone()),
        );
      }
    } finally {
      for (const held of seen.values()) held.dispose();
    }
  }

  /** Activations at a place, a layer's residual stream or a site inside its block: [B, T, w]. */
  at({ layer, site }: { layer: number; site: BlockSite | null }): Tensor {
    return site === null ? this.residual(layer) : this.atSite({ layer, site });
  }

  /**
   * r_L of a pass from the residual stream of a layer on, [B, T, d], changed on its way.
   * @param change what a site inside a block goes on with.
   * @param edit what the residual stream after a block goes on with.
   */
  changedFrom(
    layer: number,
    {
      change,
      edit,
    }: {
      change: (place: SiteInBlock, value: Tensor) => Tensor;
      edit: (layer: number, r: Tensor) => Tensor;
    },
  ): Tensor {
    const step = (i: number, r: Tensor): Tensor =>
      scope(() =>
        edit(
          i,
          this.#model.block(i, r, this.#context, (site, value) =>
            change({ site, layer: i }, value),
          ),
        ),
      );
    let r = scope(() => edit(layer, this.residual(layer).clone()));
    for (let i = layer + 1; i <= this.#model.layers; i++) {
      const next = step(i, r);
      r.dispose();
      r = next;
    }
    return r;
  }

  /**
   * The residual stream after a block in which a site, or the slice of it, was replaced by `value`:
   * [B, T, d].
   */
  withSite({ site, layer, slice }: SiteInBlock, value: Tensor): Tensor {
    const put = (own: Tensor): Tensor => {
      if (slice === undefined) return value;
      const { from, width } = slice;
      const rest = own.shape.at(-1)! - from - width;
      const parts = [own.narrow(-1, 0, from), value, own.narrow(-1, from + width, rest)];
      return ops.cat(parts, -1);
    };
    return this.#model.block(layer, this.residual(layer - 1), this.#context, (at, own) =>
      at === site ? put(own) : own,
    );
  }

  /** Frees the residual streams of the sites and everything made of them; h_L stays. */
  releaseSites(): void {
    for (const residual of this.#residuals.values()) residual.dispose();
    for (const input of this.#inputs.values()) input.dispose();
    for (const site of this.#sites.values()) site.dispose();
    for (const stack of this.#stacks.values()) stack.dispose();
  }
}
