/** What every kind implements: pre-activations, activation, decoding. */
import type { SaeKind } from '../schema/request.js';
import type { Tensor } from '../torch/index.js';
import type { InputNormalization } from './input.js';
import type { Latents, Sparsity } from './latents.js';

/**
 * An SAE on the residual stream of width d with m latents.
 *
 * Encoding is split in two so that a sweep over sparsities computes the matmul once: `encode(x) =
 * activate(preactivate(x))`. x is [N, d], for a Crosscoder [N, R, d]; reconstructions have x's
 * shape. Tensors returned are the caller's.
 */
export interface SAE {
  readonly kind: SaeKind;
  readonly d: number;
  readonly m: number;
  /** Active latents by construction; null for kinds without a k. */
  readonly k: number | null;
  /** What makes activations its input; left out: `pre(h)`, as in the RouteSAE family. */
  readonly normalization?: InputNormalization;
  /**
   * Published SAEs: whose format its file has, where it was trained (as the file names it), what
   * makes its latents.
   */
  readonly format?: string;
  readonly hookPoint?: string | null;
  readonly activation?: 'relu' | 'topk' | 'jumprelu' | 'gated';
  /** [N, d] → [N, m]. */
  preactivate(x: Tensor): Tensor;
  /** The latents; `sparsity` overrides the kind's own rule. */
  activate(a: Tensor, sparsity: Sparsity): Latents;
  /** → [N, d]. */
  decode(z: Latents): Tensor;
  dispose(): void;
}

/** A crosscoder: x and x̂ are [N, R, d]. */
export interface CrosscoderLike extends SAE {
  /** Sites read and written. */
  readonly R: number;
  /** Of each site; left out: `pre(h)`. */
  readonly normalizations?: readonly InputNormalization[];
  /** Where its sites are, as the file names them; null for models. */
  readonly hookPoints?: readonly string[] | null;
  /** One set of latents [N, m] for counting, where each site has its own. */
  shared?(z: Latents): Latents;
}

/**
 * Tensors of a checkpoint by name, on the device and in the dtype to compute in; the SAE owns them
 * from here on.
 */
export type SaeTensors = ReadonlyMap<string, Tensor>;

/** The tensor of that name, known to be there since the layout was checked. */
export function need(tensors: SaeTensors, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`tensor '${name}' was not loaded`);
  return tensor;
}
