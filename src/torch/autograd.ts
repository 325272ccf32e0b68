/** Gradients: modes of recording, which belong to the calling thread, and differentiation. */
import { native } from './native.js';
import { refusePromise } from './synchronous.js';
import { Tensor } from './tensor.js';

type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

/**
 * Runs `body` without recording gradients. `body` must be synchronous: the mode belongs to the
 * thread.
 */
export function noGrad<T>(body: () => Synchronous<T>): T {
  return withGrad(false, body);
}

/** Runs `body` with recording of gradients, even inside `noGrad`. */
export function enableGrad<T>(body: () => Synchronous<T>): T {
  return withGrad(true, body);
}

function withGrad<T>(enabled: boolean, body: () => T): T {
  const before = native().setGradEnabled(enabled);
  try {
    const result = body();
    refusePromise(result, enabled ? 'enableGrad' : 'noGrad', 'ask for the mode between its awaits');
    return result;
  } finally {
    native().setGradEnabled(before);
  }
}

/** Whether operators record gradients on this thread now. */
export function isGradEnabled(): boolean {
  return native().isGradEnabled();
}

/**
 * Runs a synchronous `body` in inference mode: faster than {@link noGrad}, but its tensors can
 * never take part in a gradient.
 */
export function inferenceMode<T>(body: () => Synchronous<T>): T {
  const before = native().setInferenceMode(true);
  try {
    const result = body();
    refusePromise(result, 'inferenceMode', 'ask for the mode between its awaits');
    return result;
  } finally {
    native().setInferenceMode(before);
  }
}

/** Switches inference mode of this thread, in which nothing is recorded: it is faster. */
export function setInferenceMode(enabled: boolean): void {
  native().setInferenceMode(enabled);
}

export interface GraphOptions {
  /** Keeps the graph for another pass; default: the value of `createGraph`. */
  retainGraph?: boolean;
  /** Records the pass itself, for derivatives of higher order. */
  createGraph?: boolean;
}

export interface BackwardOptions extends GraphOptions {
  /** Tensors whose gradients are added to; default: all leaves that require one. */
  inputs?: readonly Tensor[];
}

export interface GradOptions extends GraphOptions {
  /** Gradient of each output, or null for a scalar's 1; default: all outputs are scalars. */
  gradOutputs?: readonly (Tensor | null)[];
  /** Gives null instead of an error for an input that no output depends on. */
  allowUnused?: boolean;
}

export interface AutogradMethods {
  /**
   * Adds the derivative of this tensor to `grad` of the leaves it was computed from. `gradient`
   * weighs the elements, if the tensor is not a scalar.
   * @throws TorchError `torch-operator` if nothing was recorded.
   */
  backward(gradient?: Tensor | null, options?: BackwardOptions): void;
}

Object.assign(Tensor.prototype, {
  backward(
    this: Tensor,
    gradient: Tensor | null = null,
    { inputs = [], createGraph = false, retainGraph = createGraph }: BackwardOptions = {},
  ): void {
    native().backward(
      [this],
      gradient === null ? [] : [gradient],
      inputs,
      retainGraph,
      createGraph,
    );
  },
});

/**
 * The derivatives of the sum of outputs with respect to each input, as new tensors. `grad` of the
 * inputs does not change.
 * @example const [dx] = grad([x.square().sum()], [x]);
 */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: GradOptions & { allowUnused: true },
): (Tensor | null)[];
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options?: GradOptions,
): Tensor[];
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  {
    gradOutputs = [],
    createGraph = false,
    retainGraph = createGraph,
    allowUnused = false,
  }: GradOptions = {},
): (Tensor | null)[] {
  return native().grad(outputs, inputs, gradOutputs, retainGraph, createGraph, allowUnused);
}
