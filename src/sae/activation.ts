/** The activation that a description names, with its tensors: from pre-activations to latents. */
import { ops, type Tensor } from '../torch/index.js';
import type { PointwiseActivation, Threshold } from './description.js';
import { Gate } from './kinds/gated.js';
import { JumpRelu } from './kinds/jumprelu.js';
import { KeepLargest } from './kinds/topk.js';
import { Relu } from './kinds/vanilla.js';
import type { ActivationFunction } from './latents.js';
import type { TakeTensor } from './sae.js';

function thresholdOf(threshold: Threshold, take: TakeTensor): Tensor {
  if ('value' in threshold) return ops.full([], threshold.value);
  const stored = take(threshold.tensor);
  if (!threshold.log) return stored;
  const linear = stored.exp();
  stored.dispose();
  return linear;
}

/** The activation function of pre-activations. */
export function activationFunction(
  activation: PointwiseActivation,
  take: TakeTensor,
): ActivationFunction {
  switch (activation.kind) {
    case 'relu':
      return new Relu(activation.overrides);
    case 'topk':
      return new KeepLargest(activation);
    case 'jumprelu':
      return new JumpRelu({ ...activation, threshold: thresholdOf(activation.threshold, take) });
    case 'gated':
      return new Gate({
        gateBias: take(activation.gateBias),
        magnitudeBias: take(activation.magnitudeBias),
        logScale: take(activation.logScale),
      });
    case 'own':
      return activation.make(activation.tensors.map(take));
  }
}
