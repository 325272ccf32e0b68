/**
 * `x Wᵀ + b` at the speed of the hardware. Float32 goes to oneDNN if that uses wider vectors than
 * libtorch's own products. In half precision libtorch's products are fast if the CPU has
 * instructions for the dtype. If it has none, they are several times slower than float32: then the
 * factors are widened, a block of W at a time, multiplied in float32 and rounded once. For
 * inference only: gradients are not supported.
 */
import { SaeEvalError } from '../errors.js';
import { kernels } from './kernels.js';
import { operator, ops } from './ops.js';
import { keep, scope } from './scope.js';
import type { Tensor } from './tensor.js';

/** Numbers of W that are widened at a time: 16 MB as float32. */
const blockNumbers = 2 ** 22;

const supported = {
  bfloat16: 'mkldnn::_is_mkldnn_bf16_supported',
  float16: 'mkldnn::_is_mkldnn_fp16_supported',
} as const;

const native = new Map<string, boolean>();

/** Whether the tensor's device has instructions that multiply numbers of its dtype. */
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

/**
 * Multiplications below which the call of oneDNN costs more than its vectors gain. Measured on AMD
 * EPYC Zen 5 (AVX-512) with bench.mjs, section `kernels`.
 */
const leastMultiplications = 2 ** 20;

/**
 * Rows from which a product gains from packed weights; with fewer, the plain order is as fast.
 * Measured on AMD EPYC Zen 5 (AVX-512) with bench.mjs, section `large`.
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

/** Whether oneDNN computes the product of x and W faster than libtorch's own kernels. */
function paysOnednn(x: Tensor, weight: Tensor): boolean {
  if (x.device !== 'cpu' || x.numel * weight.shape[0]! < leastMultiplications) return false;
  return (wider ??= kernels.onednnIsWider());
}

export interface OutputRange {
  from: number;
  count: number;
}

/**
 * Copies of half-precision weights in oneDNN's own order, so that products that share a weight
 * reorder it once and not each time. On CPUs on which float32 goes to oneDNN, this saves some 12 %
 * of a sweep of lanes in bfloat16 (AMD EPYC Zen 5, bench.mjs, section `large`); elsewhere nothing
 * was gained and nothing is packed.
 */
export class PackedWeights {
  /** Packed ranges by weight and first output; null while nothing is kept. */
  #kept: Map<Tensor, Map<number, Tensor>> | null = null;

  /**
   * Runs `body`, keeps what its products pack, and frees that at its end. The weights must not
   * change meanwhile. Inside another call of the same object, that one keeps and frees.
   */
  during<T>(body: () => T): T {
    if (this.#kept !== null) return body();
    const kept = (this.#kept = new Map<Tensor, Map<number, Tensor>>());
    try {
      return body();
    } finally {
      for (const ranges of kept.values()) for (const packed of ranges.values()) packed.dispose();
      this.#kept = null;
    }
  }

  /**
   * The packed form of `part`, the outputs of `weight` from `from` on, or null if x would not gain
   * from it or nothing is kept now.
   */
  take(x: Tensor, weight: Tensor, part: Tensor, from: number): Tensor | null {
    if (this.#kept === null || (x.dtype !== 'bfloat16' && x.dtype !== 'float16')) return null;
    const rows = x.numel / part.shape[1]!;
    if (rows < leastRows || !paysOnednn(x, part) || !multipliesNatively(x)) return null;
    let ranges = this.#kept.get(weight);
    if (ranges === undefined) this.#kept.set(weight, (ranges = new Map<number, Tensor>()));
    let found = ranges.get(from);
    if (found === undefined || found.shape[0] !== part.shape[0]) {
      found?.dispose();
      found = keep((operator('mkldnn::_reorder_linear_weight') as Reorder)(part, rows));
      ranges.set(from, found);
    }
    return found;
  }
}

export interface LinearOptions {
  /** Range of outputs to compute; default all. */
  outputs?: OutputRange | undefined;
  /** Where packed weights are kept; default nowhere. */
  packed?: PackedWeights | undefined;
}

/** x […, k], W [m, k], b [m] or null → […, m], all of one dtype. */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  { outputs, packed }: LinearOptions = {},
): Tensor {
  const { from, count } = outputs ?? { from: 0, count: weight.shape[0]! };
  const part = outputs === undefined ? weight : weight.narrow(0, from, count);
  const partBias = outputs === undefined ? bias : (bias?.narrow(0, from, count) ?? null);
  return multiply(x, part, partBias, packed?.take(x, weight, part, from) ?? null);
}

/**
 * A product of oneDNN, which is known to have one for these dtypes: if it cannot make it, there is
 * no memory for its code or its buffers, though its error does not say so.
 */
function withinMemory(product: () => Tensor): Tensor {
  try {
    return product();
  } catch (thrown) {
    if (!(thrown instanceof SaeEvalError) || !/could not \w+ a \w+/.test(thrown.message))
      throw thrown;
    throw new SaeEvalError('device-memory', `${thrown.message}: not enough memory`, {
      cause: thrown,
    });
  }
}

function multiply(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  packed: Tensor | null = null,
): Tensor {
  const through = packed ?? (x.dtype === 'float32' && paysOnednn(x, weight) ? weight : null);
  if (through !== null)
    return withinMemory(() =>
      (operator('mkldnn::_linear_pointwise') as OnednnLinear)(x, through, bias, 'none', [], ''),
    );
  return multipliesNatively(x) ? ops.linear(x, weight, bias) : linearWidened(x, weight, bias);
}

/**
 * `sum + x Wᵀ`: sum [N, m], x [N, k], W [m, k]. Takes over `sum`: only the result may be used
 * afterwards.
 */
export function addLinear(sum: Tensor, x: Tensor, weight: Tensor): Tensor {
  if (x.dtype === 'float32' && paysOnednn(x, weight)) {
    const added = withinMemory(() =>
      (operator('mkldnn::_linear_pointwise.binary') as OnednnBinary)(x, sum, weight, null, 'add'),
    );
    sum.dispose();
    return added;
  }
  return multipliesNatively(x) ? sum.addmm_(x, weight.t()) : sum.add_(linearWidened(x, weight));
}

/** {@link linear} through float32 on every CPU. */
export function linearWidened(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  return scope(() => {
    const [m, k] = weight.shape as [number, number];
    const wide = x.to({ dtype: 'float32' }); // […, k]
    const wideBias = bias === null ? null : bias.to({ dtype: 'float32' });
    const rows = Math.max(1, Math.floor(blockNumbers / Math.max(1, k)));
    if (m <= rows)
      return multiply(wide, weight.to({ dtype: 'float32' }), wideBias).to({ dtype: x.dtype });
    const out = ops.empty([...x.shape.slice(0, -1), m], { dtype: x.dtype, device: x.device });
    for (let from = 0; from < m; from += rows) {
      const count = Math.min(rows, m - from);
      scope(() => {
        const part = weight.narrow(0, from, count).to({ dtype: 'float32' }); // [count, k]
        out
          .narrow(-1, from, count)
          .copy_(multiply(wide, part, wideBias?.narrow(0, from, count) ?? null));
        return null;
      });
    }
    return out;
  });
}
