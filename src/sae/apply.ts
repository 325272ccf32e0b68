/**
 * An SAE on activations as the language model has them, normalization included: for use from
 * TypeScript and for tests.
 */
import { ops, scope, type Tensor } from '../torch/index.js';
import { pre, type InputNormalization, type SaeInput } from './input.js';
import type { Sparsity } from './latents.js';
import { denseValues } from './crosscoder.js';
import type { CrosscoderLike, SAE } from './sae.js';

export interface AppliedSAE {
  /** [N, m]; [N, R, m] for crosscoders whose sites decide by themselves. */
  latents: Tensor;
  /** In the space of the activations, of their shape and dtype. */
  reconstruction: Tensor;
}

/**
 * The latents of activations and what the SAE makes of them. RouteSAE, which routes before it
 * encodes, is not for this. The caller disposes of both.
 * @param h [N, d]; [N, R, d] for crosscoders.
 * @example
 * const sae = await loadSAE('gemma-scope/layer_20/width_16k/average_l0_71');
 * const { latents, reconstruction } = applySAE(sae, activations);
 */
export function applySAE(
  sae: SAE,
  h: Tensor,
  {
    sparsity = null,
    dtype = 'float32',
  }: { sparsity?: Sparsity; dtype?: 'float32' | 'bfloat16' | 'float16' } = {},
): AppliedSAE {
  return scope(() => {
    if (sae.kind === 'Crosscoder') {
      const { R, normalizations } = sae as CrosscoderLike;
      const at = (j: number): InputNormalization => normalizations?.[j] ?? pre;
      const inputs = Array.from({ length: R }, (_, j): SaeInput =>
        at(j).apply(h.select(1, j), dtype),
      );
      const latents = sae.activate(
        sae.preactivate(
          ops.stack(
            inputs.map(({ x }) => x),
            1,
          ),
        ),
        sparsity,
      );
      const decoded = sae.decode(latents); // [N, R, d]
      return {
        latents: denseValues(latents),
        reconstruction: ops.stack(
          inputs.map((input, j) => input.restore(decoded.select(1, j))),
          1,
        ),
      };
    }
    const input = (sae.normalization ?? pre).apply(h, dtype);
    const latents = sae.activate(sae.preactivate(input.x), sparsity);
    return { latents: denseValues(latents), reconstruction: input.restore(sae.decode(latents)) };
  });
}
