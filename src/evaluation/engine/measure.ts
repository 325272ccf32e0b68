/** Measures a reconstruction against its input, token by token. */
import { activeCounts, firingCounts, type Latents } from '../../sae/index.js';
import { ops, type Tensor } from '../../torch/index.js';
import { slotKey, vectorKey, type Collector, type Target } from './collector.js';

export interface Measured {
  x: Tensor; // [N, d]
  reconstruction: Tensor; // [N, d]
  /**
   * Null where the latents were counted elsewhere already (a Crosscoder's are shared by its sites).
   */
  latents: Latents | null;
  /** `reference` wants NormMSE alone; `strict` everything. */
  targets: readonly Target[];
}

/** Squared norms of rows: [N, d] → [N]. */
const squaredNorm = (rows: Tensor): Tensor => rows.mul(rows).sum([-1]);

export function measure({ x, reconstruction, latents, targets }: Measured, into: Collector): void {
  if (targets.length === 0) return;
  const squaredInput = squaredNorm(x);
  const squaredError = squaredNorm(reconstruction.sub(x));
  // The two means over d have the same divisor.
  const nmse = squaredError.div(squaredInput);
  for (const target of targets) {
    const { owner, protocol } = target;
    into.tokens(slotKey(target, 'nmse'), { protocol, values: nmse });
    if (protocol === 'reference') continue;
    const real = into.mask(protocol).reshape([-1]);
    const squaredReconstruction = squaredNorm(reconstruction);
    const dot = x.mul(reconstruction).sum([-1]);
    const norms = squaredInput.mul(squaredReconstruction).sqrt().clamp_min(1e-12);
    into.tokens(slotKey(target, 'squaredInput'), { protocol, values: squaredInput });
    into.tokens(slotKey(target, 'squaredError'), { protocol, values: squaredError });
    into.tokens(slotKey(target, 'squaredReconstruction'), {
      protocol,
      values: squaredReconstruction,
    });
    into.tokens(slotKey(target, 'cosine'), { protocol, values: dot.div(norms) });
    into.vector(vectorKey(owner, protocol, 'inputSum'), ops.mv(x.t(), real.to({ dtype: x.dtype })));
    if (latents === null) continue;
    into.tokens(slotKey(target, 'active'), { protocol, values: activeCounts(latents) });
    into.vector(vectorKey(owner, protocol, 'firing'), firingCounts(latents, real));
  }
}
