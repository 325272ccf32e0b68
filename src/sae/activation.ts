/**
 * The activations of published SAEs: from pre-activations to latents, with the overrides of a
 * request.
 */
import type { Activation, Threshold } from './formats/recognise.js';
import { ops, type Tensor } from '../torch/index.js';
import { keepAbove, keepLargest, override, type Latents, type Sparsity } from './latents.js';

export interface ActivationFunction {
  /** a [N, m] → latents; `sparsity` overrides the SAE's own rule. */
  apply(a: Tensor, sparsity: Sparsity): Latents;
  dispose(): void;
}

/** A tensor of the file by name, in the dtype to compute in; the caller's from here on. */
export type TakeTensor = (name: string) => Tensor;

const nothing = (): void => {};

/** The same latents with their values changed one by one. */
export function mapValues(latents: Latents, change: (values: Tensor) => Tensor): Latents {
  return { ...latents, values: change(latents.values) };
}

function thresholdOf(threshold: Threshold, take: TakeTensor): Tensor | number {
  if ('value' in threshold) return threshold.value;
  const stored = take(threshold.tensor);
  if (!threshold.log) return stored;
  const linear = stored.exp();
  stored.dispose();
  return linear;
}

/**
 * The function that a description names. `inferK` keeps the k largest of what is active, `theta`
 * what is above it.
 */
export function activationFunction(activation: Activation, take: TakeTensor): ActivationFunction {
  switch (activation.kind) {
    case 'relu':
      return { apply: (a, sparsity) => override(a.relu(), sparsity), dispose: nothing };
    case 'topk': {
      const rectified = (values: Tensor): Tensor =>
        activation.signed === true ? values : values.relu();
      return {
        apply(a, sparsity) {
          if (sparsity !== null && 'theta' in sparsity)
            return keepAbove(rectified(a), sparsity.theta);
          return mapValues(
            keepLargest(a, sparsity === null ? activation.k : sparsity.inferK),
            rectified,
          );
        },
        dispose: nothing,
      };
    }
    case 'jumprelu': {
      const threshold = thresholdOf(activation.threshold, take);
      const above = (a: Tensor): Tensor =>
        typeof threshold === 'number' ? a.gt(threshold) : a.gt(threshold);
      return {
        apply: (a, sparsity) =>
          override((activation.signed === true ? a : a.relu()).mul(above(a)), sparsity),
        dispose: () => (typeof threshold === 'number' ? undefined : threshold.dispose()),
      };
    }
    case 'gated': {
      const gateBias = take(activation.gateBias); // [m]
      const magnitudeBias = take(activation.magnitudeBias); // [m]
      const logScale = take(activation.logScale);
      const scale = logScale.exp(); // [m]
      logScale.dispose();
      return {
        apply: (a, sparsity) =>
          override(
            ops.addcmul(magnitudeBias, scale, a).relu().mul(a.add(gateBias).gt(0)),
            sparsity,
          ),
        dispose: () => [gateBias, magnitudeBias, scale].forEach((tensor) => tensor.dispose()),
      };
    }
  }
}
