/** How a block's attention scores its keys. */
import type { Tensor } from '../torch/index.js';
import type { RopeConfig } from './rope-config.js';

export interface AttentionOptions {
  /** Rotary settings; null if queries and keys are not rotated. */
  rope: RopeConfig | null;
  /** Factor on q·k. */
  scale: number;
  /** Number of keys that a query sees, itself included; null for all. */
  window: number | null;
  /** Cap of the scores, `cap · tanh(score / cap)`; null for none. */
  softcap: number | null;
  /** Number of positions that attend among themselves alone, as neighbors do; default all. */
  chunk?: number | null;
  /**
   * Score of each head, [H], that takes part in the softmax and stands for no key
   * (arXiv:2309.17453); default none.
   */
  sinks?: Tensor;
}

/** Queries, keys and values of n copies of a batch. */
export interface Heads {
  q: Tensor; // [n·B, T, H, hd]
  k: Tensor; // [n·B, T, H_kv, hd]
  v: Tensor; // [n·B, T, H_kv, hd]
}

/** Each of the heads [b, T, H_kv, hd] for all queries that share it: [b, T, H, hd]. */
export function forEveryQuery(x: Tensor, queryHeads: number): Tensor {
  const [b, T, heads, headDim] = x.shape as [number, number, number, number];
  if (heads === queryHeads) return x;
  const groups = queryHeads / heads;
  return x.unsqueeze(3).expand([b, T, heads, groups, headDim]).flatten(2, 3);
}
