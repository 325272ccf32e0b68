/**
 * Mean over latents of the largest cosine with another latent's weights, which SAEBench reports of
 * encoders and decoders. No m × m matrix is held.
 */
import { ops, scope, type Tensor } from '../../../torch/index.js';

/** Norm below which a row is divided by it instead, as in PyTorch's `normalize`. */
const smallestNorm = 1e-12;
/** Cosines that are held at a time. */
const mostCosines = 2 ** 24;

/** @param weights one row for each latent: [m, d]. @returns NaN if there is no other latent. */
export function meanLargestCosine(weights: Tensor): number {
  const [m] = weights.shape as [number, number];
  if (m < 2) return Number.NaN;
  return scope(() => {
    const wide = weights.to({ dtype: 'float32' });
    const norms = ops.linalg_vector_norm(wide, 2, [-1], { keepdim: true });
    const rows = wide.div(norms.clamp_min(smallestNorm)); // [m, d]
    const columns = rows.t();
    const block = Math.max(1, Math.floor(mostCosines / m));
    const total = ops.zeros([], { dtype: 'float64', device: weights.device });
    for (let from = 0; from < m; from += block)
      scope(() => {
        const count = Math.min(block, m - from);
        const cosines = ops.matmul(rows.narrow(0, from, count), columns); // [count, m]
        cosines.diagonal(from).fill_(-Infinity);
        total.add_(cosines.amax([-1]).sum([0], { dtype: 'float64' }));
        return null;
      });
    return total.item() / m;
  });
}
