/**
 * An SAE on activations as the language model has them, normalization included: for use from
 * TypeScript and for tests.
 */
import type { FloatDtype } from '../schema/index.js';
import { ops, scope, type Tensor } from '../torch/index.js';
import { LayerSums, type CrossLayer } from './cross-layer.js';
import { denseValues, type Latents, type Override } from './latents.js';
import type { SAE } from './load.js';
import { Transcoder } from './transcoder.js';

/** Latents of all m, those beyond a prefix as zeros. */
function allValues(latents: Latents, m: number): Tensor {
  const values = denseValues(latents);
  const left = m - values.shape.at(-1)!;
  return left === 0 ? values : ops.constant_pad_nd(values, [0, left]);
}

export interface AppliedSAE {
  /**
   * [N, m]; [N, R, m] for crosscoders whose sites decide by themselves, [N, n, m / n] for SAEs of n
   * layers.
   */
  latents: Tensor;
  /** In the space of the activations, of their shape and dtype; a transcoder's prediction. */
  reconstruction: Tensor;
}

function appliedToLayers(
  sae: CrossLayer,
  h: Tensor,
  { sparsity, dtype }: { sparsity: Override; dtype: FloatDtype },
): AppliedSAE {
  const sums = new LayerSums(sae);
  try {
    const each = Array.from({ length: sae.n }, (_, l) => {
      const x = h.select(1, l).to({ dtype });
      const z = sae.encode(l, x, sparsity);
      return { latents: denseValues(z), predicted: sums.add(l, z, x) };
    });
    const stacked = (tensors: readonly Tensor[]): Tensor => ops.stack(tensors, 1);
    return {
      latents: stacked(each.map(({ latents }) => latents)),
      reconstruction: stacked(each.map(({ predicted }) => predicted)).to({ dtype: h.dtype }),
    };
  } finally {
    sums.dispose();
  }
}

/**
 * The latents of activations and their reconstruction. RouteSAE, which routes before it encodes, is
 * not for this. The caller disposes of both.
 * @param h [N, d]; [N, R, d] for crosscoders, [N, n, d] for SAEs of n layers.
 * @example
 * const sae = await loadSAE('gemma-scope/layer_20/width_16k/average_l0_71');
 * const { latents, reconstruction } = applySAE(sae, activations);
 */
export function applySAE(
  sae: SAE,
  h: Tensor,
  { sparsity = null, dtype = 'float32' }: { sparsity?: Override; dtype?: FloatDtype } = {},
): AppliedSAE {
  return scope(() => {
    if (sae.form === 'cross-layer') return appliedToLayers(sae, h, { sparsity, dtype });
    if (sae instanceof Transcoder) {
      const input = sae.normalization.apply(h, dtype);
      const latents = sae.activate(sae.preactivate(input.x), sparsity);
      const predicted = sae.predict(latents, sae.skip(h.to({ dtype })));
      return {
        latents: allValues(latents, sae.m),
        reconstruction: predicted.to({ dtype: h.dtype }),
      };
    }
    if (sae.form !== 'crosscoder') {
      const input = sae.normalization.apply(h, dtype);
      const latents = sae.activate(sae.preactivate(input.x), sparsity);
      return {
        latents: allValues(latents, sae.m),
        reconstruction: input.restore(sae.decode(latents)),
      };
    }
    const inputs = sae.normalizations.map((one, j) => one.apply(h.select(1, j), dtype));
    const x = ops.stack(
      inputs.map((input) => input.x),
      1,
    ); // [N, R, d]
    const latents = sae.activate(sae.preactivate(x), sparsity);
    const decoded = sae.decode(latents); // [N, R, d]
    const restored = inputs.map((input, j) => input.restore(decoded.select(1, j)));
    return { latents: allValues(latents, sae.m), reconstruction: ops.stack(restored, 1) };
  });
}
