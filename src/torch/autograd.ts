/** Gradients: what is recorded, and how it is asked for. Modes belong to the thread that calls. */
import { native } from './native.js';
import { refusePromise } from './synchronous.js';
import { Tensor } from './tensor.js';

type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

/**
 * Runs `body` without recording gradients. It must be synchronous: the mode is the thread's,
 * whatever runs on it.
 */
export function noGrad<T>(body: () => Synchronous<T>): T {
  return withGrad(false, body);
}

/** Runs `body` recording gradients, inside `noGrad` too. */
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
 * Runs `body` in inference mode: faster than {@link noGrad}, but its tensors can never take part in
 * a gradient. Synchronous.
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

/** Results need no gradients and record nothing: faster, for this thread until switched off. */
export function setInferenceMode(enabled: boolean): void {
  native().setInferenceMode(enabled);
}

export interface GraphOptions {
  /** Keeps the graph for another pass; default: as `createGraph`. */
  retainGraph?: boolean;
  /** Records the pass itself, for derivatives of higher order. */
  createGraph?: boolean;
}

export interface BackwardOptions extends GraphOptions {
  /** Adds to the gradients of these alone; default: of all leaves that require one. */
  inputs?: readonly Tensor[];
}

export interface GradOptions extends GraphOptions {
  /** One for each output, null for a scalar's 1; default: all are scalars. */
  gradOutputs?: readonly (Tensor | null)[];
  /** null, instead of an error, for an input that no output depends on. */
  allowUnused?: boolean;
}

export interface AutogradMethods {
  /**
   * Adds the derivative of this tensor to `grad` of the leaves it was computed from; `gradient`
   * weighs the elements of a tensor that is no scalar.
   * @throws TorchError `torch-operator` where nothing was recorded.
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
 * The derivatives of the sum of outputs by each input, as new tensors; `grad` of the inputs stays
 * as it is.
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
