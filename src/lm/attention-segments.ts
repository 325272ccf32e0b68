/**
 * Attention by the kernels of libtorch's CUDA build that take segments of any lengths:
 * FlashAttention (arXiv:2307.08691) in half precision, memory-efficient attention
 * (arXiv:2112.05682) in float32.
 *
 * A batch [n·B, T] is one row of segments: the real positions of a sequence, its padded ones, the
 * real ones of the next. Of an unpadded batch [n, T] the segments are its sequences. Every segment
 * attends causally to itself, which is right for real queries. If somebody reads padded queries, a
 * second call gives each padded segment the keys of the real segment before it; what it gives to
 * real queries is not used.
 */
import { operator, ops, TorchError, type Tensor } from '../torch/index.js';
import { forEveryQuery, type AttentionOptions, type Heads } from './attention-options.js';
import type { BatchContext } from './batch-context.js';

interface Bounds {
  queries: Tensor; // [segments + 1] int32
  keys: Tensor;
  /** Length of the longest segment. */
  longest: number;
}

interface Rule {
  causal: boolean;
  scale: number;
  /** Keys that a query sees, its own included; null for all. */
  window: number | null;
}

type Kernel = (heads: Heads, bounds: Bounds, rule: Rule) => Tensor;

type Forward = (...args: unknown[]) => Tensor[];

/** FlashAttention: half precision, head dimensions up to 256, GPUs from Ampere on. */
const flash: Kernel = ({ q, k, v }, { queries, keys, longest }, { causal, scale, window }) =>
  (operator('_flash_attention_forward') as Forward)(
    q,
    k,
    v,
    queries,
    keys,
    longest,
    longest,
    0,
    causal,
    false,
    {
      scale,
      ...(window === null ? {} : { window_size_left: window - 1, window_size_right: 0 }),
    },
  )[0]!;

/** From the bottom right: the last query of a segment sees its last key. */
const causalMask = 2;

/** Memory-efficient attention: any precision but float64; keys as many heads as queries. */
const efficient: Kernel = ({ q, k, v }, { queries, keys, longest }, { causal, scale, window }) => {
  const [one, two, three] = [q, k, v].map((x) => x.unsqueeze(0)) as [Tensor, Tensor, Tensor];
  const maskType = causal ? causalMask : 0;
  return (operator('_efficient_attention_forward') as Forward)(
    one,
    two,
    three,
    null,
    queries,
    keys,
    longest,
    longest,
    0,
    maskType,
    {
      scale,
      ...(window === null ? {} : { window_size: window }),
    },
  )[0]!.squeeze(0);
};

/** Devices on which FlashAttention has no kernel. */
const withoutFlash = new Set<string>();

/** FlashAttention if it is there, else the other kernel. */
function inHalfPrecision(heads: Heads, bounds: Bounds, rule: Rule, queryHeads: number): Tensor {
  const { device } = heads.q;
  if (!withoutFlash.has(device)) {
    try {
      return flash(heads, bounds, rule);
    } catch (thrown) {
      const isMissing =
        thrown instanceof TorchError &&
        /only supports .* GPUs|not compiled|not enabled for build|no kernel image/i.test(
          thrown.message,
        );
      if (!isMissing) throw thrown;
      withoutFlash.add(device);
    }
  }
  return efficient(expanded(heads, queryHeads), bounds, rule);
}

/** Heads in one row [rows, H_kv, hd] for all queries: [rows, H, hd]. */
function expanded({ q, k, v }: Heads, queryHeads: number): Heads {
  const all = (x: Tensor): Tensor => forEveryQuery(x.unsqueeze(0), queryHeads).squeeze(0);
  return { q, k: all(k), v: all(v) };
}

/** Widest head of FlashAttention. */
const widestFlash = 256;

/** [n·B, T, H, hd]. */
export function attendSegments(
  heads: Heads,
  context: BatchContext,
  { scale, window }: AttentionOptions,
): Tensor {
  const [rows, T, H, headDim] = heads.q.shape as [number, number, number, number];
  const isHalf = heads.q.dtype !== 'float32';
  // The kernels load some numbers of a head at a time.
  const missing = -headDim & (isHalf ? 7 : 3);
  const packed = (x: Tensor): Tensor => {
    const flat = x.flatten(0, 1); // [n·B·T, H, hd]
    return missing === 0 ? flat : ops.constant_pad_nd(flat, [0, missing]);
  };
  const own: Heads = { q: packed(heads.q), k: packed(heads.k), v: packed(heads.v) };
  const usesFlash = isHalf && headDim + missing <= widestFlash;
  const given = usesFlash ? own : expanded(own, H);
  const attendBy = (bounds: Bounds, rule: Rule): Tensor => {
    const found = usesFlash
      ? inHalfPrecision(given, bounds, rule, H)
      : efficient(given, bounds, rule);
    const whole = missing === 0 ? found : found.narrow(-1, 0, headDim);
    return whole.unflatten(0, [rows, T]); // [n·B, T, H, hd]
  };
  const copies = context.isUnpadded ? rows : rows / context.lengths.length;
  const { longest } = context;
  const segments = context.segments(copies);
  const ofReal = attendBy(
    { queries: segments.own, keys: segments.own, longest },
    { causal: true, scale, window },
  );
  if (!context.paddedQueries) return ofReal;
  const ofPadded = attendBy(
    { queries: segments.own, keys: segments.real, longest },
    { causal: false, scale, window: null },
  );
  const split = (x: Tensor): Tensor => x.unflatten(0, [copies, context.lengths.length]);
  return ops.where(context.isReal, split(ofReal), split(ofPadded)).flatten(0, 1);
}
