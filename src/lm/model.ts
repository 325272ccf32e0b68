/** What the engine asks of a language model: its residual stream, block by block. */
import type { DType, Tensor } from '../torch/index.js';
import type { BlockSite } from './hook-names.js';

/**
 * Sees what a block computes at its sites and gives what is to go on in its place: the same tensor
 * to leave it. [n·B, T, d] each, `attn_z` [n·B, T, H·head_dim]. It must not change a tensor in
 * place; one to be used after the block must be kept (`keep`), the others are freed with the
 * block's temporaries.
 *
 * `attn_out` and `mlp_out` are what is added to the residual stream, so after a norm where the
 * family has one there. Blocks whose attention and MLP run side by side have no `resid_mid`.
 */
export type Tap = (site: BlockSite, value: Tensor) => Tensor;

export interface AttentionContext {
  /**
   * Real tokens of each of the B sequences; the rest of the T positions is padding on the right.
   */
  readonly lengths: readonly number[];
  readonly T: number;
  dispose(): void;
}

/** Tokens `from` … `from + count − 1`. */
export interface VocabularyRange {
  readonly from: number;
  readonly count: number;
}

export interface LanguageModel {
  readonly family: string;
  /** Blocks, L. */
  readonly layers: number;
  /** Of the residual stream, d. */
  readonly width: number;
  readonly vocabulary: number;
  readonly maxPositions: number;
  readonly parameters: number;
  readonly device: string;
  readonly dtype: DType;
  /** Of all weights in the dtype they are used in; a tied head counts once. */
  readonly weightBytes: number;
  /** [B, T] int64 → r_0 [B, T, d]. */
  embed(ids: Tensor): Tensor;
  /**
   * For a batch of B = `lengths.length` sequences at positions 0…T−1, padded on the right.
   * Attention is causal and no query sees a padded key; padded queries see the real ones. Whoever
   * asks disposes it.
   * @param options.seqLen what T was before columns of mere padding were left out, for rotary
   *   scalings that depend on it.
   */
  context(lengths: readonly number[], T: number, options?: { seqLen?: number }): AttentionContext;
  /**
   * r_{i−1} → r_i for i in 1…L, [n·B, T, d]: any number n of copies of the context's batch stacked
   * along dim 0.
   */
  block(i: number, r: Tensor, context: AttentionContext, tap?: Tap): Tensor;
  /** r_L → h_L. */
  finalNorm(r: Tensor): Tensor;
  /**
   * h_L [N, d] → logits [N, V] in the model's dtype, soft-capping included; of a range of the
   * vocabulary where one is given.
   */
  head(h: Tensor, vocabulary?: VocabularyRange): Tensor;
  /**
   * Runs `body`, in which several calls of `block` or `head` share weights: what can be prepared
   * once for all of them is kept until its end. It takes up to as much memory as those weights.
   */
  sharingWeights<T>(body: () => T): T;
  /** Frees the weights. */
  dispose(): void;
}
