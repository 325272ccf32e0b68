/**
 * Attention composed of products and a softmax, a block of queries at a time, for what the kernels
 * do not know: soft-capped scores (Gemma 2, arXiv:2408.00118), sinks (arXiv:2309.17453), chunks,
 * and the windows of padded queries.
 */
import { multipliesNatively, ops, type Tensor } from '../torch/index.js';
import { forEveryQuery, type AttentionOptions, type Heads } from './attention-options.js';
import type { BatchContext } from './batch-context.js';

/** Scores of a block: 64 MiB in float32. */
const mostScores = 2 ** 24;

/** Bytes of a block: its scores, their softmax in float32, and a mask. */
export const blockBytes = 12 * mostScores;

/** Shares of the keys [n·B, H, t, keys]; the sinks' share goes to none. */
function softmaxOf(scores: Tensor, sinks: Tensor | undefined): Tensor {
  if (sinks === undefined) return scores.softmax(-1, 'float32');
  const [rows, H, t, keys] = scores.shape as [number, number, number, number];
  const sink = sinks.to({ dtype: scores.dtype }).view([1, H, 1, 1]).expand([rows, H, t, 1]);
  return ops.cat([scores, sink], -1).softmax(-1, 'float32').narrow(-1, 0, keys);
}

/** softmax(cap(q kᵀ · scale)) v: [n·B, T, H, hd]. */
export function attendInBlocks(
  heads: Heads,
  context: BatchContext,
  { scale, softcap, window, chunk = null, sinks }: AttentionOptions,
): Tensor {
  const { dtype } = heads.q;
  const computed = multipliesNatively(heads.q) ? dtype : 'float32';
  const [rows, T, H] = heads.q.shape as [number, number, number];
  // [n·B, H, T, hd]
  const byHead = (x: Tensor): Tensor => forEveryQuery(x, H).transpose(1, 2).to({ dtype: computed });
  const [q, k, v] = [byHead(heads.q), byHead(heads.k), byHead(heads.v)];
  const B = context.lengths.length;
  const queries = Math.max(1, Math.floor(mostScores / (rows * H * T)));
  const blocks: Tensor[] = [];
  for (let from = 0; from < T; from += queries) {
    const to = Math.min(T, from + queries);
    const keys = k.narrow(2, 0, to);
    const scores = q
      .narrow(2, from, to - from)
      .matmul(keys.transpose(-2, -1))
      .mul_(scale); // [n·B, H, to − from, to]
    if (softcap !== null) scores.div_(softcap).tanh_().mul_(softcap);
    const unseen = context.seen({ from, to, window, chunk }).logical_not();
    const masked = scores.unflatten(0, [rows / B, B]).masked_fill_(unseen, -Infinity);
    const weights = softmaxOf(masked.flatten(0, 1), sinks).to({ dtype: computed });
    blocks.push(weights.matmul(v.narrow(2, 0, to)));
    // The largest tensors of a block are freed before those of the next are made.
    for (const spent of [scores, masked, unseen, weights]) spent.dispose();
  }
  const all = blocks.length === 1 ? blocks[0]! : ops.cat(blocks, 2);
  return all.transpose(1, 2).to({ dtype }); // [n·B, T, H, hd]
}
