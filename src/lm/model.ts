/** Interface of a language model: its residual stream, block by block. */
import type { Bilingual } from '../schema/index.js';
import type { DType, Tensor } from '../torch/index.js';
import type { BlockSite } from './hook-names.js';

/**
 * Function that a block calls at each of its sites, in the order of computation. It receives the
 * value there, [n·B, T, d] (`attn_z`: [n·B, T, H·head_dim], `mlp_post`: [n·B, T, neurons]), and
 * returns the value to go on with, the same tensor for no change. It must not change a tensor in
 * place. The block frees the tensors with its temporaries, so a tap must `keep` one that is needed
 * later.
 *
 * `attn_out` and `mlp_out` are the terms that are added to the residual stream: if the family has a
 * norm after attention and MLP, they are the norm's outputs. If attention and MLP run in parallel,
 * there is no `resid_mid`.
 */
export type Tap = (site: BlockSite, value: Tensor) => Tensor;

/**
 * A batch of sequences in rows of T positions. Each has a row of its own, padded on the right; or
 * the batch is unpadded: all lie one after the other in one row, which they fill, and B stands for
 * 1 if tensors [B, T, …] of the batch are meant.
 */
export interface AttentionContext {
  /** Number of real tokens of each sequence. */
  readonly lengths: readonly number[];
  readonly T: number;
  readonly isUnpadded: boolean;
  dispose(): void;
}

export interface ContextOptions {
  /**
   * Length of the sequences before columns of mere padding were left out, on which some rotary
   * scalings depend. Default T.
   */
  seqLen?: number;
  /**
   * Whether padded positions are read. If not, what they give may be anything finite, and costs
   * less. Default true.
   */
  paddedQueries?: boolean;
  /** Whether the batch is unpadded, T being the sum of its lengths. Default false. */
  isUnpadded?: boolean;
}

/** Range of token ids, `from` … `from + count − 1`. */
export interface VocabularyRange {
  readonly from: number;
  readonly count: number;
}

export interface LanguageModel {
  /** Name of the family, or `torchscript`. */
  readonly family: string;
  /** Remarks on the model's files that belong into a result. */
  readonly notes: readonly Bilingual[];
  /** Number of blocks, L. */
  readonly layers: number;
  /** Width of the residual stream, d. */
  readonly width: number;
  /** Number of tokens that the model knows, V. */
  readonly vocabulary: number;
  /** Length of the longest sequence, in tokens. */
  readonly maxPositions: number;
  /** Number of parameters; a tied head counts once. */
  readonly parameters: number;
  readonly device: string;
  readonly dtype: DType;
  /** Bytes of all parameters in the model's dtype. */
  readonly weightBytes: number;
  /** Bytes that attention takes at most beside its inputs and outputs. */
  readonly attentionBytes: number;
  /** Whether it takes unpadded batches. */
  readonly takesUnpadded: boolean;
  /** Token ids [B, T] int64 → r_0 [B, T, d]. Needs the context if the batch is unpadded. */
  embed(ids: Tensor, context?: AttentionContext): Tensor;
  /**
   * Context of a batch of sequences, each at positions from 0 on. Attention is causal and no query
   * sees a padded key, nor a key of another sequence; padded queries see the real keys. The caller
   * disposes the context.
   */
  context(lengths: readonly number[], T: number, options?: ContextOptions): AttentionContext;
  /**
   * Block i in 1…L: r_{i−1} → r_i, both [n·B, T, d], for n copies of the context's batch stacked
   * along dim 0.
   */
  block(i: number, r: Tensor, context: AttentionContext, tap?: Tap): Tensor;
  /**
   * Whether the weights do not fit together: those of a block are brought in when its turn comes.
   * Any order of blocks gives the same numbers; each change of the block costs its weights.
   */
  readonly isStreamed: boolean;
  /** Number of blocks that other devices hold, by device; they are copied from there. */
  readonly heldElsewhere: ReadonlyMap<string, number>;
  /**
   * Waits until the weights of block i are there, and begins to read those of block `next`, null
   * for none. Does nothing if all are there.
   */
  bring(i: number, next: number | null): Promise<void>;
  /** Final norm, r_L → h_L. */
  finalNorm(r: Tensor): Tensor;
  /**
   * Head, h_L [N, d] → logits [N, V] in the model's dtype, soft-capping included. With a range the
   * logits are those of its tokens, [N, count].
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
