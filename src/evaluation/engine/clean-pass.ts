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
  /** Sites that will be asked for: they are seen when their block has its turn. Default none. */
  sites?: readonly SiteInBlock[];
  saeDtype: DType;
}

/** An SAE's input, and the layer that it belongs to. */
interface KeptInput {
  readonly layer: number;
  readonly input: SaeInput;
}

export class CleanPass {
  readonly B: number;
  readonly T: number;
  readonly d: number;
  readonly #residuals = new Map<number, Tensor>();
  readonly #keep: ReadonlySet<number>;
  readonly #ahead: readonly SiteInBlock[];
  readonly #saeDtype: DType;
  readonly #inputs = new Map<string, KeptInput>();
  readonly #sites = new Map<string, { layer: number; values: Tensor }>();
  readonly #model: LanguageModel;
  readonly #context: AttentionContext;
  readonly #stacks = new Map<string, Tensor>();
  /** The residual stream where the pass stands, and the layer of it. */
  #r: Tensor; // [B, T, d]
  #layer = 0;
  #final: Tensor | null = null;

  /** Begins the pass: {@link through} takes it through the blocks. */
  constructor({ model, ids, context, keep, sites = [], saeDtype }: CleanPassOptions) {
    this.#r = model.embed(ids, context);
    this.#keep = keep;
    this.#ahead = sites;
    if (keep.has(0)) this.#residuals.set(0, this.#r);
    [this.B, this.T] = ids.shape as [number, number];
    this.d = model.width;
    this.#model = model;
    this.#context = context;
    this.#saeDtype = saeDtype;
  }

  /** Block i, the next one. After the last comes the final norm. */
  through(i: number): void {
    const before = this.#r;
    this.#r = this.#model.block(i, before, this.#context);
    this.#layer = i;
    if (this.#keep.has(i)) this.#residuals.set(i, this.#r);
    this.see(this.#ahead.filter(({ layer }) => layer === i));
    if (!this.#residuals.has(i - 1)) before.dispose();
    if (i < this.#model.layers) return;
    this.#final = this.#model.finalNorm(this.#r);
    if (!this.#keep.has(i)) this.#r.dispose();
  }

  /** h_L, after the final norm: [B, T, d]. */
  get finalHidden(): Tensor {
    if (this.#final === null) throw new Error('the clean pass has not ended');
    return this.#final;
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
    let found = this.#inputs.get(key)?.input;
    if (found === undefined) {
      const h = this.#activations(site);
      const rows = h.reshape([-1, h.shape.at(-1)!]); // [N, w]
      found = normalization.apply(rows, this.#saeDtype);
      // A view that stays would hold the memory of the residual stream.
      if (found.x !== rows) rows.dispose();
      const layer = site === 'final' ? this.#model.layers : layerOf(site);
      this.#inputs.set(key, { layer, input: found });
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
    const { values } = this.#sites.get(keyOf(place))!;
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
        this.#sites.set(keyOf({ site, layer }), { layer, values: scope(() => held.clone()) });
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

  /** Frees the residual stream of a layer, sites in its block, and what was made of them. */
  release(layer: number): void {
    const residual = this.#residuals.get(layer);
    this.#residuals.delete(layer);
    // The pass goes on from where it stands.
    if (layer < this.#layer || this.#final !== null) residual?.dispose();
    for (const [key, kept] of this.#inputs) {
      if (kept.layer !== layer) continue;
      kept.input.dispose();
      this.#inputs.delete(key);
    }
    for (const [key, site] of this.#sites) {
      if (site.layer !== layer) continue;
      site.values.dispose();
      this.#sites.delete(key);
    }
  }

  /** Frees the residual streams of the sites and everything made of them; h_L stays. */
  releaseSites(): void {
    for (const { layer } of [...this.#inputs.values(), ...this.#sites.values()])
      this.release(layer);
    for (const layer of this.#residuals.keys()) this.release(layer);
    for (const stack of this.#stacks.values()) stack.dispose();
    this.#stacks.clear();
  }
}

const layerOf = (site: number | SiteInBlock): number =>
  typeof site === 'object' ? site.layer : site;
