/** Adam (Kingma & Ba, 2015), in PyTorch's order of operations. */
import type { Tensor } from '../tensor.js';
import { Optimizer, requireSetting, type State } from './optimizer.js';

export interface AdamOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  /** Multiple of the weights that is added to the gradient; AdamW shrinks the weights instead. */
  weightDecay?: number;
}

export class Adam extends Optimizer {
  lr: number;
  protected readonly weightDecay: number;
  readonly #betas: readonly [number, number];
  readonly #eps: number;

  constructor(
    parameters: readonly Tensor[],
    { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 }: AdamOptions = {},
  ) {
    super(parameters);
    for (const [name, value] of Object.entries({ lr, eps, weightDecay }))
      requireSetting(name, value);
    for (const beta of betas) requireSetting('betas', beta, { below: 1 });
    this.lr = lr;
    this.weightDecay = weightDecay;
    this.#betas = betas;
    this.#eps = eps;
  }

  protected update(parameter: Tensor, gradient: Tensor, state: State): void {
    const decayed =
      this.weightDecay === 0 ? gradient : gradient.add(parameter, { alpha: this.weightDecay });
    this.adapt(parameter, decayed, state);
  }

  /**
   * Moves along the mean of the gradients, divided by the root of the mean of their squares; both
   * means are corrected for their bias towards zero.
   */
  protected adapt(parameter: Tensor, gradient: Tensor, state: State): void {
    const [beta1, beta2] = this.#betas;
    const age = this.remembered(state, 'steps', () =>
      gradient.new_zeros([], { dtype: 'float64', device: 'cpu' }),
    )
      .add_(1)
      .item();
    const mean = this.remembered(state, 'mean', () => gradient.new_zeros(gradient.shape)).lerp_(
      gradient,
      1 - beta1,
    );
    const square = this.remembered(state, 'square', () => gradient.new_zeros(gradient.shape))
      .mul_(beta2)
      .addcmul_(gradient, gradient, { value: 1 - beta2 });
    const spread = square
      .sqrt()
      .div_(Math.sqrt(1 - beta2 ** age))
      .add_(this.#eps);
    parameter.addcdiv_(mean, spread, { value: -this.lr / (1 - beta1 ** age) });
  }
}
