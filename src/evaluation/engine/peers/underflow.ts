/**
 * Probabilities that leave the range of their dtype. SAEBench takes logarithms of probabilities, so
 * that one that is zero there makes its KL NaN or infinite.
 */
import { keep, ops, scope, type DType, type Tensor } from '../../../torch/index.js';

/** Powers of 2 below which a probability is rounded to zero: half of the least number. */
const leastHalf: Partial<Record<DType, number>> = { float32: -150, bfloat16: -134, float16: -25 };

/** The least logarithm of each row, while the vocabulary is seen range by range. */
export class LeastLogit {
  #least: Tensor | null = null; // [N]

  /** @param logits [N, Vc]. */
  see(logits: Tensor): void {
    const before = this.#least;
    this.#least = keep(
      scope(() => {
        const own = logits.amin([-1]);
        return before === null ? own : ops.minimum(before, own);
      }),
    );
    before?.dispose();
  }

  /**
   * 1 for each row with a probability that is zero in a dtype, else 0: [N] float32.
   * @param lse logarithm of the sum of the exponentials of each row's logits: [N] float64.
   */
  underflows(lse: Tensor, dtype: DType): Tensor {
    const bound = (leastHalf[dtype] ?? -Infinity) * Math.LN2;
    return scope(() =>
      this.#least!.to({ dtype: 'float64' }).sub(lse).lt(bound).to({ dtype: 'float32' }),
    );
  }

  dispose(): void {
    this.#least?.dispose();
    this.#least = null;
  }
}
