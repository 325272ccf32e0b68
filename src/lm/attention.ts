/**
 * Causal self-attention (Vaswani et al. 2017, arXiv:1706.03762) with grouped queries
 * (arXiv:2305.13245), sliding windows and soft-capping, on batches padded to the right.
 *
 * No padding mask is needed: the real positions of a sequence attend causally among themselves, and
 * its padded queries attend to all its real keys. On the CPU one kernel computes this for sequences
 * of any lengths. On other devices, and under soft-capping, sequences of equal length go through
 * libtorch's causal kernel, and their padded queries through its full one.
 */
import {
  keep,
  kernels,
  multipliesNatively,
  ops,
  scalar,
  scope,
  type DType,
  type Tensor,
} from '../torch/index.js';
import type { AttentionContext } from './model.js';
import type { RopeConfig } from './rope-config.js';
import { ropeTable, rotate, type RopeTable } from './rope.js';

/** Neighboring sequences of one length. */
interface Run {
  from: number;
  count: number;
  length: number;
}

export interface AttentionOptions {
  /** Rotary settings; null if queries and keys are not rotated. */
  rope: RopeConfig | null;
  /** Factor on q·k. */
  scale: number;
  /** Number of keys that a query sees, itself included; null for all. */
  window: number | null;
  /** Cap of the scores, `cap · tanh(score / cap)`; null for none. */
  softcap: number | null;
}

function runsOf(lengths: readonly number[]): Run[] {
  const runs: Run[] = [];
  lengths.forEach((length, index) => {
    const last = runs.at(-1);
    if (last?.length === length) last.count++;
    else runs.push({ from: index, count: 1, length });
  });
  return runs;
}

export interface BatchContextOptions {
  /** Number of real tokens of each sequence. */
  lengths: readonly number[];
  T: number;
  /** Length that rotary scalings depend on, at least T. */
  seqLen: number;
  ropes: Iterable<RopeConfig>;
  device: string;
  dtype: DType;
}

/** Rotary tables and masks of one batch, which all blocks share. It owns them. */
export class BatchContext implements AttentionContext {
  readonly runs: readonly Run[];
  readonly #ropes: ReadonlyMap<RopeConfig, RopeTable>;
  readonly #masks = new Map<string, Tensor>();

  readonly lengths: readonly number[];
  readonly T: number;
  readonly #device: string;

  constructor({ lengths, T, seqLen, ropes, device, dtype }: BatchContextOptions) {
    this.lengths = lengths;
    this.T = T;
    this.#device = device;
    this.runs = runsOf(lengths);
    this.#ropes = new Map(
      Array.from(new Set(ropes), (rope) => {
        const { cos, sin } = ropeTable(rope, { T, seqLen, device, dtype });
        return [rope, { cos: keep(cos), sin: keep(sin) }];
      }),
    );
  }

  rope(config: RopeConfig): RopeTable {
    return this.#ropes.get(config)!;
  }

  /**
   * Mask of the keys 0…keys−1 that the queries `from`…`to`−1 see: [to − from, keys] bool. The
   * context owns it.
   */
  mask({
    from,
    to,
    keys,
    window,
  }: {
    from: number;
    to: number;
    keys: number;
    window: number | null;
  }): Tensor {
    const key = `${from} ${to} ${keys} ${window}`;
    let found = this.#masks.get(key);
    if (found === undefined) {
      found = keep(
        scope(() => {
          const device = this.#device;
          const query = ops.arange(from, to, { device }).unsqueeze(1);
          const position = ops.arange(keys, { device }).unsqueeze(0);
          const distance = query.sub(position);
          const seen = distance
            .ge(0)
            .logical_and(window === null ? scalar(true, { device }) : distance.lt(window));
          // A padded query outside every window sees the first key. Its state may be anything
          // finite, but a softmax of nothing is not.
          return seen.logical_or(seen.any(-1, true).logical_not().logical_and(position.eq(0)));
        }),
      );
      this.#masks.set(key, found);
    }
    return found;
  }

  dispose(): void {
    for (const { cos, sin } of this.#ropes.values()) {
      cos.dispose();
      sin.dispose();
    }
    for (const mask of this.#masks.values()) mask.dispose();
    this.#masks.clear();
  }
}

interface Heads {
  q: Tensor; // [b, H, T, hd]
  k: Tensor; // [b, H_kv, T, hd]
  v: Tensor;
}

/** softmax(cap(q kᵀ · scale)) v with a mask: the kernels know no soft-capping. */
function cappedAttention({ q, k, v }: Heads, mask: Tensor, scale: number, cap: number): Tensor {
  const groups = q.shape[1]! / k.shape[1]!;
  const dtype = multipliesNatively(q) ? q.dtype : 'float32';
  const repeat = (x: Tensor): Tensor =>
    (groups === 1 ? x : x.repeat_interleave(groups, 1)).to({ dtype });
  const scores = q
    .to({ dtype })
    .matmul(repeat(k).transpose(-2, -1))
    .mul_(scale)
    .div_(cap)
    .tanh_()
    .mul_(cap);
  const weights = scores
    .masked_fill_(mask.logical_not(), -Infinity)
    .softmax(-1, 'float32')
    .to({ dtype });
  return weights.matmul(repeat(v)).to({ dtype: q.dtype });
}

/**
 * Attention of the queries `from`…`to`−1 in sequences whose first `keys` positions are real:
 * [b, H, to − from, hd].
 */
function attendPart(
  { q, k, v }: Heads,
  context: BatchContext,
  { from, to, keys }: { from: number; to: number; keys: number },
  { scale, window: wanted, softcap }: AttentionOptions,
): Tensor {
  const whole = to - from === q.shape[2]!;
  const part: Heads = {
    q: whole ? q : q.narrow(2, from, to - from),
    k: k.narrow(2, 0, keys),
    v: v.narrow(2, 0, keys),
  };
  const window = wanted === null || wanted >= to ? null : wanted;
  if (softcap !== null)
    return cappedAttention(part, context.mask({ from, to, keys, window }), scale, softcap);
  const enable_gqa = q.shape[1] !== k.shape[1];
  if (window !== null) {
    return ops.scaled_dot_product_attention(part.q, part.k, part.v, {
      attn_mask: context.mask({ from, to, keys, window }),
      scale,
      enable_gqa,
    });
  }
  return ops.scaled_dot_product_attention(part.q, part.k, part.v, {
    is_causal: from === 0,
    scale,
    enable_gqa,
  });
}

/** Attention of sequences of one length, padded queries included: [b, H, T, hd]. */
function attendRun(
  heads: Heads,
  context: BatchContext,
  length: number,
  options: AttentionOptions,
): Tensor {
  const { T } = context;
  const real = attendPart(heads, context, { from: 0, to: length, keys: length }, options);
  if (length === T) return real;
  return ops.cat(
    [real, attendPart(heads, context, { from: length, to: T, keys: length }, options)],
    2,
  );
}

/**
 * Attention of n copies of the context's batch: q [n·B, T, H, hd], k and v [n·B, T, H_kv, hd] →
 * [n·B, T, H·hd].
 */
export function attend(
  { q, k, v }: Heads,
  context: BatchContext,
  options: AttentionOptions,
): Tensor {
  const table = options.rope === null ? null : context.rope(options.rope);
  if (q.device === 'cpu' && options.softcap === null) {
    return kernels.attend(
      q,
      k,
      v,
      context.lengths,
      table?.cos ?? null,
      table?.sin ?? null,
      options.scale,
      { window: options.window ?? 0 },
    );
  }
  const turn = (x: Tensor): Tensor => (table === null ? x : rotate(x, table));
  // [b, H, T, hd]
  const heads = { q: turn(q.transpose(1, 2)), k: turn(k.transpose(1, 2)), v: v.transpose(1, 2) };
  const [rows, T, H, headDim] = q.shape as [number, number, number, number];
  return attendRuns(heads, context, options)
    .transpose(1, 2)
    .reshape([rows, T, H * headDim]);
}

/** Attention by operators of ATen, run by run: [n·B, H, T, hd]. */
function attendRuns(heads: Heads, context: BatchContext, options: AttentionOptions): Tensor {
  const { runs, lengths } = context;
  if (runs.length === 1) return attendRun(heads, context, runs[0]!.length, options);
  const B = lengths.length;
  const copies = heads.q.shape[0]! / B;
  const parts = runs.map(({ from, count, length }) => {
    const take = (x: Tensor): Tensor =>
      copies === 1
        ? x.narrow(0, from, count)
        : x.unflatten(0, [copies, B]).narrow(1, from, count).flatten(0, 1);
    return attendRun(
      { q: take(heads.q), k: take(heads.k), v: take(heads.v) },
      context,
      length,
      options,
    ).unflatten(0, [copies, count]);
  });
  return ops.cat(parts, 1).flatten(0, 1);
}
