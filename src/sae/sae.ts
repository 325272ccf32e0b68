/** What every kind implements: pre-activations, activation, decoding. */
import type { SaeKind } from '../evaluation/schema/request.js';
import type { Tensor } from '../torch/index.js';
import type { Latents, Sparsity } from './latents.js';

/**
 * An SAE on the residual stream of width d with m latents.
 *
 * Encoding is split in two so that a sweep over sparsities computes the matmul once: `encode(x) = activate(preactivate(x))`.
 * x is [N, d], for a Crosscoder [N, R, d]; reconstructions have x's shape. Tensors returned are the caller's.
 */
export interface SAE {
  readonly kind: SaeKind;
  readonly d: number;
  readonly m: number;
  /** Active latents by construction; null for kinds without a k. */
  readonly k: number | null;
  /** [N, d] → [N, m]. */
  preactivate(x: Tensor): Tensor;
  /** The latents; `sparsity` overrides the kind's own rule. */
  activate(a: Tensor, sparsity: Sparsity): Latents;
  /** → [N, d]. */
  decode(z: Latents): Tensor;
  dispose(): void;
}

/** Tensors of a checkpoint by name, on the device and in the dtype to compute in; the SAE owns them from here on. */
export type SaeTensors = ReadonlyMap<string, Tensor>;

/** The tensor of that name, known to be there since the layout was checked. */
export function need(tensors: SaeTensors, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`tensor '${name}' was not loaded`);
  return tensor;
}
