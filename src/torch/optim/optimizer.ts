/** What optimizers share: the parameters, their state, and a step that leaves no temporaries. */
import { noGrad } from '../autograd.js';
import { TorchError } from '../errors.js';
import { keep, scope } from '../scope.js';
import type { Tensor } from '../tensor.js';

/** One tensor's own running averages; made in its first step. */
export type State = Record<string, Tensor>;

export abstract class Optimizer {
  readonly #states = new Map<Tensor, State>();

  /** The parameters stay the caller's; {@link dispose} frees the optimizer's own state alone. */
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

  /** Changes every parameter that has a gradient, in place. */
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

  /** Forgets the gradients. */
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

  /** The tensor of that name in the state, made when it is first asked for. */
  protected remembered(state: State, name: string, make: () => Tensor): Tensor {
    return (state[name] ??= keep(make()));
  }
}

/** Throws unless a setting is a number in its range. */
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
