/** The steps that every form of SAE has: pre-activations, activation, decoding. */
import type { Tensor } from '../torch/index.js';
import { kOf, type Activation, type SaeForm } from './description.js';
import type { SaeKind } from './kinds/kinds.js';
import { withinPrefix, type Latents, type Override, type Sparsity } from './latents.js';
import type { Products } from './product.js';

/**
 * An SAE on activations of width d with m latents.
 *
 * Encoding is split in two so that a sweep over sparsities computes the matmul once:
 * `encode(x) = activate(preactivate(x))`. x is [N, d], for a crosscoder [N, R, d]; reconstructions
 * have x's shape. Tensors returned are the caller's.
 */
export abstract class ComputingSAE {
  readonly d: number;
  readonly m: number;
  /** Number of active latents by construction; null for SAEs without a k. */
  readonly k: number | null;
  /** Activation that makes its latents. */
  readonly activation: Activation['kind'];
  readonly kind: SaeKind;
  /** Name of the format of its file. */
  readonly format: string;
  /** Hook point it was trained on, as the file names it; null if the file names none or several. */
  readonly hookPoint: string | null;

  constructor(form: SaeForm, { kind, format, hookPoint }: SaeIdentity) {
    this.d = form.d;
    this.m = form.m;
    this.k = kOf(form);
    this.activation = form.activation.kind;
    this.kind = kind;
    this.format = format;
    this.hookPoint = hookPoint;
  }

  /**
   * [N, d] → what `activate` takes: [N, m] but for SAEs whose latents are not made of
   * pre-activations alone.
   * @param T rows of a sequence, for SAEs that look back: the sequences lie one after the other.
   *   Default: all rows are one.
   */
  abstract preactivate(x: Tensor, T?: number): Tensor;
  /** All latents of the pre-activations; `sparsity` overrides the SAE's own rule. */
  protected abstract activateAll(a: Tensor, sparsity: Sparsity): Latents;

  /** Latents of the pre-activations under an override; null: the SAE's own. */
  activate(a: Tensor, override: Override): Latents {
    return override !== null && 'prefix' in override
      ? withinPrefix(this.activateAll(a, null), override.prefix)
      : this.activateAll(a, override);
  }

  /** → [N, d]. */
  abstract decode(z: Latents): Tensor;

  /** The weights of the latents one by one; null if a latent has no row of its own to decode. */
  latentRows(): LatentRows | null {
    return null;
  }

  abstract dispose(): void;
}

/** The rows by which latents read and write, as the SAE computes with them; the caller's. */
export interface LatentRows {
  /** Parts that are one row side by side: [m, w] each. */
  readonly encoder: readonly Tensor[];
  readonly decoder: readonly Tensor[];
  /** Number of each latent that its encoder row is divided by: [m]; null for 1. */
  readonly encoderDivisor: Tensor | null;
  /** Whether both lie in one space: a transcoder writes to another place than it reads. */
  readonly sharesSpace: boolean;
}

export interface SaeIdentity {
  kind: SaeKind;
  format: string;
  hookPoint: string | null;
}

/** A tensor of the file by name, on the device and in the dtype to compute in; the caller's. */
export type TakeTensor = (name: string) => Tensor;

/** Tensors, products and identity that an SAE is made of beside its form. */
export interface Making {
  take: TakeTensor;
  products: Products;
  identity: SaeIdentity;
}
