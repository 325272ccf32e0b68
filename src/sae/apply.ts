/**
 * An SAE on activations as the language model has them, normalization included: for use from
 * TypeScript and for tests.
 */
import type { FloatDtype } from '../schema/index.js';
import { ops, scope, type Tensor } from '../torch/index.js';
import { denseValues, type Sparsity } from './latents.js';
import type { SAE } from './load.js';

export interface AppliedSAE {
  /** [N, m]; [N, R, m] for crosscoders whose sites decide by themselves. */
  latents: Tensor;
  /** In the space of the activations, of their shape and dtype. */
  reconstruction: Tensor;
}

/**
 * The latents of activations and their reconstruction. RouteSAE, which routes before it encodes, is
 * not for this. The caller disposes of both.
 * @param h [N, d]; [N, R, d] for crosscoders.
 * @example
 * const sae = await loadSAE('gemma-scope/layer_20/width_16k/average_l0_71');
 * const { latents, reconstruction } = applySAE(sae, activations);
 */
export function applySAE(
  sae: SAE,
  h: Tensor,
  { sparsity = null, dtype = 'float32' }: { sparsity?: Sparsity; dtype?: FloatDtype } = {},
): AppliedSAE {
  return scope(() => {
    if (sae.form !== 'crosscoder') {
      const input = sae.normalization.apply(h, dtype);
      const latents = sae.activate(sae.preactivate(input.x), sparsity);
      return { latents: denseValues(latents), reconstruction: input.restore(sae.decode(latents)) };
    }
    const inputs = sae.normalizations.map((one, j) => one.apply(h.select(1, j), dtype));
    const x = ops.stack(
      inputs.map((input) => input.x),
      1,
    ); // [N, R, d]
    const latents = sae.activate(sae.preactivate(x), sparsity);
    const decoded = sae.decode(latents); // [N, R, d]
    const restored = inputs.map((input, j) => input.restore(decoded.select(1, j)));
    return { latents: denseValues(latents), reconstruction: ops.stack(restored, 1) };
  });
}
