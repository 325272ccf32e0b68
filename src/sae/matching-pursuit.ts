/**
 * Matching pursuit (Mallat and Zhang, "Matching pursuits with time-frequency dictionaries", 1993;
 * as an SAE: Costa et al., "From Flat to Hierarchical: Extracting Sparse Representations with
 * Matching Pursuit", 2025): latents are chosen one after the other, each for what the ones before
 * leave over. There are no pre-activations; the encoder is the decoder.
 *
 *   r ← x;   repeat: j = argmax_j (r · w_j);   v = max(r · w_j, 0);   z_j ← z_j + v;
 *   r ← r − v w_j
 *
 * It ends for a token if its choice was active before (or adds nothing), if ‖r‖ is below the
 * threshold, or after the largest number of steps.
 */
import { ops, scope, type Tensor } from '../torch/index.js';
import type { Activation } from './description.js';
import { override, type ActivationFunction, type Latents, type Sparsity } from './latents.js';
import type { Products } from './product.js';

export type MatchingPursuitSettings = Extract<Activation, { kind: 'matching-pursuit' }>;

/** Tokens whose pursuit goes on. */
interface Pursuit {
  residual: Tensor; // [n, d]
  rows: Tensor; // [n] int64: their places among all
}

export class MatchingPursuit implements ActivationFunction {
  readonly #atoms: Tensor; // [m, d]
  readonly #settings: MatchingPursuitSettings;
  readonly #products: Products;

  /** @param atoms rows of the decoder [m, d]; they stay the caller's. */
  constructor(settings: MatchingPursuitSettings, atoms: Tensor, products: Products) {
    this.#settings = settings;
    this.#atoms = atoms;
    this.#products = products;
  }

  /** @param x inputs [N, d]; `sparsity` chooses among the latents that were found. */
  apply(x: Tensor, sparsity: Sparsity): Latents {
    const { dtype, device } = x;
    const [count, m] = [x.shape[0]!, this.#atoms.shape[0]!];
    const latents = ops.zeros([count * m], { dtype, device });
    let going: Pursuit = { residual: x, rows: ops.arange(0, count, 1, { dtype: 'int64', device }) };
    for (let step = 0; step < this.#settings.maxIterations && going.rows.numel > 0; step++) {
      const before = going;
      going = scope(() => this.#step(latents, before));
      if (step > 0) for (const spent of Object.values(before) as Tensor[]) spent.dispose();
    }
    return override(latents.reshape([count, m]), sparsity);
  }

  /** Adds one choice of each token to `latents` [N · m]; gives the tokens that go on. */
  #step(latents: Tensor, { residual, rows }: Pursuit): Pursuit {
    const { residualThreshold, stopsAtRepetition } = this.#settings;
    const [m] = this.#atoms.shape as [number];
    const best = this.#products.linear(residual, this.#atoms, null).argmax(-1); // [n]
    const atom = this.#atoms.index_select(0, best); // [n, d]
    const value = residual.mul(atom).sum([-1]).relu(); // [n]
    const places = rows.mul(m).add(best);
    const isNew = latents.index_select(0, places).eq(0).mul(value.gt(0));
    latents.index_add_(0, places, value);
    const left = residual.sub(atom.mul(value.unsqueeze(-1)));
    const far = ops.linalg_vector_norm(left, 2, [-1]).ge(residualThreshold);
    const goes = stopsAtRepetition ? far.mul(isNew) : far;
    const kept = goes.nonzero().reshape([-1]);
    return { residual: left.index_select(0, kept), rows: rows.index_select(0, kept) };
  }

  dispose(): void {}
}
