/**
 * Causal self-attention (Vaswani et al. 2017, arXiv:1706.03762) with grouped queries
 * (arXiv:2305.13245), sliding windows and soft-capping, on batches padded to the right or not at
 * all.
 *
 * The real positions of a sequence attend causally among themselves, and its padded queries attend
 * to all its real keys. Three ways compute this: one kernel of ours on the CPU, kernels for
 * segments of any lengths on other devices, and blocks of queries for what neither knows.
 */
import { kernels, ops, type Tensor } from '../torch/index.js';
import { attendInBlocks } from './attention-blocks.js';
import type { AttentionOptions, Heads } from './attention-options.js';
import { attendSegments } from './attention-segments.js';
import type { BatchContext } from './batch-context.js';
import { pairsToHalves, rotate } from './rope.js';

/**
 * Attention of n copies of the context's batch: q [n·B, T, H, hd], k and v [n·B, T, H_kv, hd] →
 * [n·B, T, H·hd].
 */
export function attend(
  { q: queries, k: keys, v }: Heads,
  context: BatchContext,
  options: AttentionOptions,
): Tensor {
  const [q, k] =
    options.rope?.interleaved === true
      ? [pairsToHalves(queries, options.rope.dim), pairsToHalves(keys, options.rope.dim)]
      : [queries, keys];
  const fits = (length?: number | null): boolean => (length ?? Infinity) >= context.reach;
  const chunk = fits(options.chunk) ? null : options.chunk!;
  const isComposed = options.softcap !== null || options.sinks !== undefined || chunk !== null;
  const table = options.rope === null ? null : context.rope(options.rope);
  if (q.device === 'cpu' && !isComposed)
    return kernels.attend(
      q,
      k,
      v,
      context.lengths,
      table?.cos ?? null,
      table?.sin ?? null,
      options.scale,
      { window: options.window ?? 0, unpadded: context.isUnpadded },
    );
  const turn = (x: Tensor): Tensor => (table === null ? x : rotate(x, table));
  const heads: Heads = { q: turn(q), k: turn(k), v };
  const window = fits(options.window) ? null : options.window;
  const inSegments =
    !isComposed &&
    q.dtype !== 'float64' &&
    // The window of a padded query begins where its segment of keys does not say.
    (window === null || !context.paddedQueries);
  const own = { ...options, window, chunk };
  const attended = inSegments
    ? attendSegments(heads, context, own)
    : context.isUnpadded
      ? attendOneByOne(heads, context, own)
      : attendInBlocks(heads, context, own);
  return attended.flatten(2, 3); // [n·B, T, H·hd]
}

/** Attention of an unpadded batch, one sequence after the other: [n, T, H, hd]. */
function attendOneByOne(heads: Heads, context: BatchContext, options: AttentionOptions): Tensor {
  let from = 0;
  const parts = context.eachAlone().map((alone) => {
    const own = (x: Tensor): Tensor => x.narrow(1, from, alone.T);
    const part = attendInBlocks(
      { q: own(heads.q), k: own(heads.k), v: own(heads.v) },
      alone,
      options,
    );
    from += alone.T;
    return part;
  });
  return ops.cat(parts, 1);
}
