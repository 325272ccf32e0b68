/** Correlations of the latents of two SAEs on the same tokens, from sums in float64. */
import { ops, scope, keep, type Tensor } from '../../torch/index.js';

/** Sums of one pair of SAEs. */
export class CorrelationSums {
  #tokens = 0;
  /** Σ z, Σ z² of either side and Σ z_a z_b: [m], [m], [m'], [m'], [m, m'], float64. */
  #sums: Tensor[] | null = null;

  /** Adds tokens: a [N, m], b [N, m'], of which those that `counted` [N] says count. */
  add(a: Tensor, b: Tensor, counted: Tensor): void {
    const sums = scope(() => {
      const rows = ops.nonzero(counted).squeeze(-1);
      this.#tokens += rows.shape[0]!;
      const [x, y] = [a, b].map((z) => z.index_select(0, rows).to({ dtype: 'float64' })) as [
        Tensor,
        Tensor,
      ];
      return [x.sum([0]), x.square().sum([0]), y.sum([0]), y.square().sum([0]), x.t().matmul(y)];
    });
    if (this.#sums === null) this.#sums = sums.map((sum) => keep(sum));
    else
      this.#sums.forEach((sum, at) => {
        sum.add_(sums[at]!);
        sums[at]!.dispose();
      });
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Correlations of the latents that vary, [n, n'] float32, and how many of either side do not. */
  correlations(): { values: Tensor; leftOut: [number, number] } {
    const [sumA, squaresA, sumB, squaresB, products] = this.#sums!;
    const n = this.#tokens;
    const values = scope(() => {
      const side = (sum: Tensor, squares: Tensor): { kept: Tensor; deviation: Tensor } => {
        const scatter = squares.sub(sum.square().div(n));
        // A constant has no variance; rounding leaves some.
        const varies = scatter.gt(squares.mul(1e-12)).logical_and(scatter.gt(0));
        const kept = ops.nonzero(varies).squeeze(-1);
        return { kept, deviation: scatter.index_select(0, kept).sqrt() };
      };
      const one = side(sumA!, squaresA!);
      const two = side(sumB!, squaresB!);
      const means = ops.outer(sumA!.index_select(0, one.kept), sumB!.index_select(0, two.kept));
      const among = products!.index_select(0, one.kept).index_select(1, two.kept);
      return among
        .sub(means.div(n))
        .div(one.deviation.unsqueeze(-1))
        .div(two.deviation)
        .to({ dtype: 'float32' });
    });
    const [rows, columns] = values.shape as [number, number];
    return { values, leftOut: [sumA!.numel - rows, sumB!.numel - columns] };
  }

  dispose(): void {
    for (const sum of this.#sums ?? []) sum.dispose();
    this.#sums = null;
  }
}
