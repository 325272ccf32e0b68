/** AdamW: Adam whose weight decay is decoupled from the gradient (Loshchilov & Hutter, 2019). */
import type { Tensor } from '../tensor.js';
import { Adam, type AdamOptions } from './adam.js';
import type { State } from './optimizer.js';

export class AdamW extends Adam {
  constructor(parameters: readonly Tensor[], { weightDecay = 0.01, ...options }: AdamOptions = {}) {
    super(parameters, { ...options, weightDecay });
  }

  protected override update(parameter: Tensor, gradient: Tensor, state: State): void {
    if (this.weightDecay !== 0) parameter.mul_(1 - this.lr * this.weightDecay);
    this.adapt(parameter, gradient, state);
  }
}
