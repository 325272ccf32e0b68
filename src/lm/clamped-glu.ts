/**
 * Gated MLP of gpt-oss (arXiv:2508.10925): down((up + 1) · gate · σ(α · gate)), with the gate
 * bounded from above and up on both sides. Gate and up alternate in one weight.
 */
import type { Tensor } from '../torch/index.js';
import type { Layer } from './layers.js';

const alpha = 1.702;
const limit = 7;

export class ClampedGLU implements Layer {
  constructor(private readonly layers: { gateUp: Layer; down: Layer }) {}

  forward(x: Tensor): Tensor {
    const pairs = this.layers.gateUp.forward(x).unflatten(-1, [-1, 2]); // [n, m, 2]
    const gate = pairs.select(-1, 0).clamp_max(limit);
    const up = pairs.select(-1, 1).clamp(-limit, limit);
    const gated = gate.mul(gate.mul(alpha).sigmoid_());
    return this.layers.down.forward(up.add_(1).mul_(gated));
  }
}
