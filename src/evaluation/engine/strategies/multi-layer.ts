/**
 * MLSAE: one TopK on each routed layer by itself. `reference` measures on h_i, ignoring inferK and
 * theta, but splices at r_{i+1}, one block later; `strict` splices where it measures. The splices
 * of both at one layer are one lane.
 */
import type { Target } from '../../../metrics/keys.js';
import type { Protocol } from '../../../metrics/metric.js';
import type { SAE, Sparsity } from '../../../sae/index.js';
import { scope, type Tensor } from '../../../torch/index.js';
import type { CleanPass } from '../clean-pass.js';
import type { Collector } from '../collector.js';
import type { Lane } from '../lanes.js';
import { measure } from '../measure.js';
import type { Slot, Strategy, Variant, Wanted } from './strategy.js';

export class MultiLayer implements Strategy {
  readonly slots: Record<Protocol, Slot[]>;
  readonly residuals: readonly number[];
  readonly zeroSites: Strategy['zeroSites'];
  readonly laneStarts: readonly number[];
  readonly passes: Strategy['passes'];

  constructor(
    private readonly sae: SAE,
    private readonly layers: readonly number[],
    readonly variants: readonly Variant[],
    private readonly wanted: Wanted,
  ) {
    this.slots = {
      reference: layers.map((layer) => ({ layer, splicedAt: layer + 1 })),
      strict: layers.map((layer) => ({ layer, splicedAt: layer })),
    };
    const spliced = this.#splicedLayers();
    this.residuals = [...new Set([...layers, ...spliced])];
    this.laneStarts = variants.flatMap(() => spliced);
    this.passes = { encode: this.residuals.length, decode: this.residuals.length };
    this.zeroSites = wanted.zero
      ? spliced.map((layer) => ({
          layer,
          targets: variants.flatMap(({ owner }) => this.#splicedAt(owner, layer)),
        }))
      : [];
  }

  #splicedLayers(): number[] {
    if (!this.wanted.splice) return [];
    return [
      ...new Set(
        [...this.wanted.protocols].flatMap((protocol) =>
          this.slots[protocol].map((slot) => slot.splicedAt!),
        ),
      ),
    ].sort((a, b) => a - b);
  }

  /** Where the numbers of a splice at that layer go. */
  #splicedAt(owner: string, layer: number): Target[] {
    return [...this.wanted.protocols].flatMap((protocol) =>
      this.slots[protocol].flatMap((slot, index) =>
        slot.splicedAt === layer ? [{ owner, protocol, slot: index }] : [],
      ),
    );
  }

  enter(clean: CleanPass, into: Collector): Lane[] {
    const spliced = new Set(this.#splicedLayers());
    return this.residuals.flatMap((layer) => {
      const site = clean.input(layer, this.sae.normalization);
      const states = scope(() => {
        const a = this.sae.preactivate(site.x); // [N, m]
        const slot = this.layers.indexOf(layer);
        return this.variants.map(({ owner, sparsity }): Tensor | null => {
          const latents = this.sae.activate(a, sparsity);
          const reconstruction = this.sae.decode(latents); // [N, d]
          if (slot >= 0) {
            const targets = [...this.wanted.protocols].map((protocol) => ({
              owner,
              protocol,
              slot,
            }));
            measure(
              {
                x: site.x,
                reconstruction,
                latents,
                targets: targets.filter(
                  ({ protocol }) => protocol === 'strict' || sparsity === null,
                ),
              },
              into,
            );
            if (sparsity !== null)
              this.#measureUnchanged(
                site.x,
                a,
                targets.filter(({ protocol }) => protocol === 'reference'),
                into,
              );
          }
          return spliced.has(layer)
            ? site.restore(reconstruction).reshape([clean.B, clean.T, clean.d])
            : null;
        });
      });
      return states.flatMap((state, index) =>
        state === null
          ? []
          : [
              {
                start: layer,
                state,
                edits: new Map(),
                zero: false,
                targets: this.#splicedAt(this.variants[index]!.owner, layer),
              },
            ],
      );
    });
  }

  /** `reference`'s NormMSE, with the SAE's own sparsity whatever the request says. */
  #measureUnchanged(x: Tensor, a: Tensor, targets: readonly Target[], into: Collector): void {
    if (targets.length === 0) return;
    const own: Sparsity = null;
    const latents = this.sae.activate(a, own);
    measure({ x, reconstruction: this.sae.decode(latents), latents, targets }, into);
  }
}
