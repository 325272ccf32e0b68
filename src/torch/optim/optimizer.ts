/** Base of all optimizers: parameters, their state, and a step that leaves no temporaries. */
import { noGrad } from '../autograd.js';
import { TorchError } from '../errors.js';
import { keep, scope } from '../scope.js';
import type { Tensor } from '../tensor.js';

/** Running averages of one parameter, made in its first step. */
export type State = Record<string, Tensor>;

export abstract class Optimizer {
  readonly #states = new Map<Tensor, State>();

  /** The caller keeps the parameters; {@link dispose} frees only the optimizer's own state. */
  constructor(readonly parameters: readonly Tensor[]) {
    if (parameters.length === 0)
      throw new TorchError(
        'torch-argument',
        'An optimizer expects at least one parameter, found none.',
      );
    const fixed = parameters.findIndex((parameter) => !parameter.requiresGrad);
    if (fixed >= 0)
      throw new TorchError(
        'torch-argument',
        'An optimizer expects parameters that require gradients, found that number ' +
          `${fixed} does not: set its requiresGrad.`,
      );
  }

  /** Updates every parameter that has a gradient, in place. */
  step(): void {
    scope(() =>
      noGrad(() => {
        for (const parameter of this.parameters) {
          const gradient = parameter.grad;
          if (gradient === null) continue;
          let state = this.#states.get(parameter);
          if (state === undefined) this.#states.set(parameter, (state = {}));
          this.update(parameter, gradient, state);
        }
        return null;
      }),
    );
  }

  /** Sets all gradients to null. */
  zeroGrad(): void {
    for (const parameter of this.parameters) parameter.grad = null;
  }

  dispose(): void {
    for (const state of this.#states.values())
      for (const tensor of Object.values(state)) tensor.dispose();
    this.#states.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  protected abstract update(parameter: Tensor, gradient: Tensor, state: State): void;

  /** The tensor of a name in the state, made at its first use. */
  protected remembered(state: State, name: string, make: () => Tensor): Tensor {
    return (state[name] ??= keep(make()));
  }
}

/** @throws TorchError `torch-argument` unless a setting is in [0, below). */
export function requireSetting(
  name: string,
  value: number,
  { below = Infinity }: { below?: number } = {},
): void {
  if (value >= 0 && value < below) return;
  throw new TorchError(
    'torch-argument',
    `The optimizer's ${name} must be a number from ` +
      `0${below === Infinity ? '' : `, below ${below}`}, found ${value}.`,
  );
}
