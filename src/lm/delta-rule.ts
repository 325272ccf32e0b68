/**
 * Gated delta rule (Yang et al. 2024, arXiv:2412.06464): a state S [d_k, d_v] of each head decays,
 * and what it recalls of a key is corrected by the value,
 *
 *   S_t = α_t S_{t−1} + k_t (β_t (v_t − (α_t S_{t−1})ᵀ k_t))ᵀ,   o_t = S_tᵀ q_t.
 *
 * A chunk of positions is computed at once: the corrections of a chunk depend on each other by a
 * triangular system (arXiv:2406.06484), and the state is carried from chunk to chunk.
 */
import { ops, type Tensor } from '../torch/index.js';

/** Queries, keys and values of a chunk of c positions, in float32, with what forgets and learns. */
export interface Chunk {
  q: Tensor; // [b, H_k, 1, c, d_k]
  k: Tensor; // [b, H_k, 1, c, d_k]
  v: Tensor; // [b, H_k, r, c, d_v]
  /** log α. */
  decay: Tensor; // [b, H_k, r, c]
  beta: Tensor; // [b, H_k, r, c]
}

export interface ChunkResult {
  out: Tensor; // [b, H_k, r, c, d_v]
  state: Tensor; // [b, H_k, r, d_k, d_v]
}

/** Outputs of a chunk, and the state behind it, from the state before it; null for zeros. */
export function deltaRule({ q, k, v, decay, beta }: Chunk, state: Tensor | null): ChunkResult {
  const c = q.shape[3]!;
  const dv = v.shape[4]!;
  const since = decay.cumsum(-1); // log of the decay since the chunk began, [b, H_k, r, c]
  const isLater = ops.ones([c, c], { dtype: 'bool', device: q.device }).triu(1);
  // Decay from position j to i ≥ j; of later ones nothing is seen.
  const between = since
    .unsqueeze(-1)
    .sub(since.unsqueeze(-2))
    .masked_fill_(isLater, -Infinity)
    .exp_(); // [b, H_k, r, c, c]
  const decayed = since.exp().unsqueeze(-1); // [b, H_k, r, c, 1]
  const rate = beta.unsqueeze(-1);
  const system = k.matmul(k.transpose(-1, -2)).mul(between).mul_(rate);
  const wanted = ops.cat([v.mul(rate), k.mul(decayed.mul(rate))], -1); // [b, H_k, r, c, d_v + d_k]
  const solved = ops.linalg_solve_triangular(system, wanted, {
    upper: false,
    unitriangular: true,
  });
  const [fresh, recalled] = [solved.narrow(-1, 0, dv), solved.narrow(-1, dv, k.shape[4]!)];
  const corrections = state === null ? fresh : fresh.sub(recalled.matmul(state));
  const scores = q.matmul(k.transpose(-1, -2)).mul(between);
  const within = scores.matmul(corrections); // [b, H_k, r, c, d_v]
  const out = state === null ? within : within.add_(q.mul(decayed).matmul(state));
  const last = since.narrow(-1, c - 1, 1); // [b, H_k, r, 1]
  const kept = last.sub(since).exp_().unsqueeze(-1); // decay from each position to the end
  const learned = k.mul(kept).transpose(-1, -2).matmul(corrections);
  return {
    out,
    state: state === null ? learned : learned.add_(state.mul(last.exp().unsqueeze(-1))),
  };
}
