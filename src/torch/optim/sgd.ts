/**
 * Stochastic gradient descent with PyTorch's momentum (Sutskever et al., 2013, except that the
 * learning rate multiplies the whole step).
 */
import { TorchError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { Optimizer, requireSetting, type State } from './optimizer.js';

export interface SGDOptions {
  lr?: number;
  momentum?: number;
  dampening?: number;
  weightDecay?: number;
  nesterov?: boolean;
}

export class SGD extends Optimizer {
  lr: number;
  readonly #momentum: number;
  readonly #dampening: number;
  readonly #weightDecay: number;
  readonly #nesterov: boolean;

  constructor(
    parameters: readonly Tensor[],
    { lr = 1e-3, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false }: SGDOptions = {},
  ) {
    super(parameters);
    for (const [name, value] of Object.entries({ lr, momentum, weightDecay }))
      requireSetting(name, value);
    if (nesterov && !(momentum > 0 && dampening === 0))
      throw new TorchError(
        'torch-argument',
        `SGD: nesterov expects a momentum above 0 and no dampening, found ${momentum} and ` +
          `${dampening}.`,
      );
    this.lr = lr;
    this.#momentum = momentum;
    this.#dampening = dampening;
    this.#weightDecay = weightDecay;
    this.#nesterov = nesterov;
  }

  protected update(parameter: Tensor, gradient: Tensor, state: State): void {
    let direction =
      this.#weightDecay === 0 ? gradient : gradient.add(parameter, { alpha: this.#weightDecay });
    if (this.#momentum !== 0) {
      const first = state['momentum'] === undefined;
      const velocity = this.remembered(state, 'momentum', () => direction.clone());
      if (!first) velocity.mul_(this.#momentum).add_(direction, { alpha: 1 - this.#dampening });
      direction = this.#nesterov ? direction.add(velocity, { alpha: this.#momentum }) : velocity;
    }
    parameter.add_(direction, { alpha: -this.lr });
  }
}
