/**
 * `x Wᵀ + b` at the speed of the hardware. Float32 goes to oneDNN where that uses wider vectors
 * than libtorch's own products. In half precision libtorch's products are fast where the CPU has
 * instructions for the dtype; where it has none they are several times slower than float32's, so
 * there the factors are widened, a block of W at a time, multiplied in float32 and rounded once.
 * Made for inference: no gradient is promised.
 */
import { kernels } from './kernels.js';
import { operator, ops } from './ops.js';
import { keep, scope } from './scope.js';
import type { Tensor } from './tensor.js';

/** Numbers of W that are widened at a time: 16 MB. */
const blockNumbers = 2 ** 22;

const supported = {
  bfloat16: 'mkldnn::_is_mkldnn_bf16_supported',
  float16: 'mkldnn::_is_mkldnn_fp16_supported',
} as const;

const native = new Map<string, boolean>();

/** Whether the tensor's device multiplies numbers of its dtype with instructions of its own. */
export function multipliesNatively({ device, dtype }: Pick<Tensor, 'device' | 'dtype'>): boolean {
  if (device !== 'cpu' || (dtype !== 'bfloat16' && dtype !== 'float16')) return true;
  let found = native.get(dtype);
  if (found === undefined) {
    try {
      found = operator(supported[dtype])() as boolean;
    } catch {
      found = true; // a libtorch without oneDNN cannot be asked: left to its own kernels
    }
    native.set(dtype, found);
  }
  return found;
}

/** Multiplications below which the way to oneDNN costs more than its vectors gain. */
const leastMultiplications = 2 ** 20;

/**
 * Rows from which a product gains from weights in oneDNN's own order; with fewer, the plain order
 * is as fast.
 */
const leastRows = 512;

type Reorder = (weight: Tensor, rows: number) => Tensor;
type OnednnLinear = (
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  attribute: 'none',
  scalars: [],
  algorithm: '',
) => Tensor;
type OnednnBinary = (
  x: Tensor,
  other: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  attribute: 'add',
) => Tensor;

let wider: boolean | undefined;

/** Whether float32 products of these go to oneDNN. */
function takesOnednn(x: Tensor, weight: Tensor): boolean {
  if (x.dtype !== 'float32' || x.device !== 'cpu') return false;
  wider ??= kernels.onednnIsWider();
  return wider && x.numel * weight.shape[0]! >= leastMultiplications;
}

let shared: Map<Tensor, Map<number, Tensor>> | null = null;

/**
 * Within `body`, which runs at once, weights that products share are brought into oneDNN's own
 * order once instead of in every product: some 12 % faster in bfloat16 and 4 % in float32 on the
 * CPUs where float32 goes to oneDNN; elsewhere nothing was gained, and nothing is done. Costs the
 * memory of a second copy of those weights until `body` ends; they must not change meanwhile.
 */
export function sharingWeights<T>(body: () => T): T {
  if (shared !== null) return body();
  shared = new Map();
  try {
    return body();
  } finally {
    for (const ranges of shared.values())
      for (const reordered of ranges.values()) reordered.dispose();
    shared = null;
  }
}

/**
 * The weights in oneDNN's order where that pays now, else null. `first` tells ranges of one W
 * apart.
 */
function reordered(
  x: Tensor,
  weight: Tensor,
  { of = weight, first = 0 }: { of?: Tensor; first?: number } = {},
): Tensor | null {
  if (shared === null || x.device !== 'cpu' || (x.dtype !== 'bfloat16' && x.dtype !== 'float32'))
    return null;
  wider ??= kernels.onednnIsWider();
  const rows = x.numel / weight.shape[1]!;
  if (
    !wider ||
    rows < leastRows ||
    x.numel * weight.shape[0]! < leastMultiplications ||
    !multipliesNatively(x)
  )
    return null;
  let ranges = shared.get(of);
  if (ranges === undefined) shared.set(of, (ranges = new Map<number, Tensor>()));
  let found = ranges.get(first);
  if (found === undefined || found.shape[0] !== weight.shape[0]) {
    found?.dispose();
    ranges.set(
      first,
      (found = keep((operator('mkldnn::_reorder_linear_weight') as Reorder)(weight, rows))),
    );
  }
  return found;
}

/**
 * x […, k], W [m, k], b [m] or null → […, m], of one dtype; of all outputs, or of a range of them.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  outputs?: { from: number; count: number },
): Tensor {
  if (outputs === undefined) return multiply(x, weight, bias, reordered(x, weight));
  const { from, count } = outputs;
  const part = weight.narrow(0, from, count);
  return multiply(
    x,
    part,
    bias?.narrow(0, from, count) ?? null,
    reordered(x, part, { of: weight, first: from }),
  );
}

function multiply(x: Tensor, weight: Tensor, bias: Tensor | null, inOrder: Tensor | null): Tensor {
  const through = inOrder ?? (takesOnednn(x, weight) ? weight : null);
  if (through !== null)
    return (operator('mkldnn::_linear_pointwise') as OnednnLinear)(
      x,
      through,
      bias,
      'none',
      [],
      '',
    );
  return multipliesNatively(x) ? ops.linear(x, weight, bias) : linearWidened(x, weight, bias);
}

/**
 * `sum + x Wᵀ`: sum [N, m], x [N, k], W [m, k]. Takes `sum` over: only what is returned may be used
 * afterwards.
 */
export function addLinear(sum: Tensor, x: Tensor, weight: Tensor): Tensor {
  if (takesOnednn(x, weight)) {
    const added = (operator('mkldnn::_linear_pointwise.binary') as OnednnBinary)(
      x,
      sum,
      weight,
      null,
      'add',
    );
    sum.dispose();
    return added;
  }
  return multipliesNatively(x) ? sum.addmm_(x, weight.t()) : sum.add_(linearWidened(x, weight));
}

/** The same as {@link linear} through float32, whatever the CPU. */
export function linearWidened(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return scope(() => {
    const [m, k] = weight.shape as [number, number];
    const wide = x.to({ dtype: 'float32' }); // […, k]
    const wideBias = bias === null ? null : bias.to({ dtype: 'float32' });
    const rows = Math.max(1, Math.floor(blockNumbers / Math.max(1, k)));
    // Widened weights serve one product: in oneDNN's order they would only wait in memory.
    if (m <= rows)
      return multiply(wide, weight.to({ dtype: 'float32' }), wideBias, null).to({ dtype: x.dtype });
    const out = ops.empty([...x.shape.slice(0, -1), m], { dtype: x.dtype, device: x.device });
    for (let from = 0; from < m; from += rows) {
      const count = Math.min(rows, m - from);
      scope(() => {
        const part = weight.narrow(0, from, count).to({ dtype: 'float32' }); // [count, k]
        out
          .narrow(-1, from, count)
          .copy_(multiply(wide, part, wideBias?.narrow(0, from, count) ?? null, null));
        return null;
      });
    }
    return out;
  });
}
