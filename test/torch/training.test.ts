/** Trains the small TopK SAE of test/golden/training.* and compares with PyTorch step by step. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadTensors } from '#src/torch.js';
import {
  enableGrad,
  grad,
  inferenceMode,
  isGradEnabled,
  memory,
  noGrad,
  ops,
  optim,
  scope,
  tensor,
  zeros,
  type Tensor,
} from '#src/torch/index.js';

const golden = (name: string): string =>
  fileURLToPath(new URL(`../golden/${name}`, import.meta.url));

interface Training {
  k: number;
  steps: number;
  m: number;
  d: number;
  losses: Record<'sgd' | 'adam' | 'adamw', number[]>;
}
const training = JSON.parse(readFileSync(golden('training.json'), 'utf8')) as Training;

// Single precision sums in another order: 20 steps let their rounding grow to a few 1e-6.
const lossTolerance = 5e-6;
const weightTolerance = 2e-5;

const optimizers = {
  sgd: (parameters: Tensor[]) => new optim.SGD(parameters, { lr: 0.5, momentum: 0.9 }),
  adam: (parameters: Tensor[]) => new optim.Adam(parameters, { lr: 0.01 }),
  adamw: (parameters: Tensor[]) => new optim.AdamW(parameters, { lr: 0.01, weightDecay: 0.1 }),
};

function decode(
  x: Tensor,
  {
    encoder,
    decoder,
    latentBias,
    preBias,
  }: Record<'encoder' | 'decoder' | 'latentBias' | 'preBias', Tensor>,
): Tensor {
  const activations = ops.linear(x.sub(preBias), encoder, latentBias); // [B, m]
  const [values, places] = activations.topk(training.k, { dim: -1 });
  const latents = ops.zeros_like(activations).scatter(-1, places, values.relu());
  return ops.linear(latents, decoder).add(preBias);
}

describe('training a TopK SAE', () => {
  it.each(['sgd', 'adam', 'adamw'] as const)(
    'matches PyTorch under %s, and leaves nothing',
    async (name) => {
      const before = memory().handles;
      const tensors = await loadTensors(golden('training.safetensors'));
      const weights = scope(() => {
        const encoder = tensors.get('encoder.weight')!.clone(); // [m, d]
        return {
          encoder,
          decoder: encoder.t().clone({ memory_format: 'contiguous_format' }),
          latentBias: zeros([training.m]),
          preBias: zeros([training.d]),
        };
      });
      const parameters = Object.values(weights);
      for (const parameter of parameters) parameter.requiresGrad = true;
      const optimizer = optimizers[name](parameters);
      const losses: number[] = [];
      for (let step = 0; step < training.steps; step++) {
        scope(() => {
          const x = tensors.get('data')!.select(0, step); // [B, d]
          const loss = decode(x, weights)
            .sub(x)
            .square()
            .mean([-1])
            .div(x.square().mean([-1]))
            .mean();
          optimizer.zeroGrad();
          loss.backward();
          optimizer.step();
          losses.push(loss.item());
          return null;
        });
      }
      const differences = losses.map((loss, step) => Math.abs(loss - training.losses[name][step]!));
      expect(losses).toHaveLength(training.steps);
      expect(Math.max(...differences)).toBeLessThan(lossTolerance);
      scope(() => {
        for (const [key, weight] of Object.entries({
          'encoder.weight': weights.encoder,
          'decoder.weight': weights.decoder,
          latent_bias: weights.latentBias,
          pre_bias: weights.preBias,
        })) {
          expect(
            weight
              .detach()
              .sub(tensors.get(`${name}.${key}`)!)
              .abs()
              .max()
              .item(),
            key,
          ).toBeLessThan(weightTolerance);
        }
        return null;
      });
      optimizer.dispose();
      for (const each of [...parameters, ...tensors.values()]) each.dispose();
      expect(memory().handles).toBe(before);
    },
  );
});

describe('optimizers', () => {
  // Five steps on Σ p³ / 10 from [1, −2, 3] by torch.optim of PyTorch 2.13; float32 rounding of
  // five steps.
  const cases: [string, (parameters: Tensor[]) => optim.Optimizer, number[]][] = [
    [
      'SGD with dampening and decay',
      (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.2 }),
      [0.5447513461112976, -3.0138235092163086, 0.4658781588077545],
    ],
    [
      'SGD with Nesterov momentum',
      (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, nesterov: true }),
      [0.5957030057907104, -5.686276435852051, 0.4047139585018158],
    ],
    [
      'Adam with decay',
      (p) => new optim.Adam(p, { lr: 0.1, betas: [0.8, 0.95], weightDecay: 0.3 }),
      [0.5176153182983398, -2.505603313446045, 2.50504469871521],
    ],
  ];
  it.each(cases)('%s', (_, make, expected) => {
    const parameter = tensor([1, -2, 3]);
    parameter.requiresGrad = true;
    const optimizer = make([parameter]);
    for (let step = 0; step < 5; step++) {
      optimizer.zeroGrad();
      parameter.pow(3).sum().mul(0.1).backward();
      optimizer.step();
    }
    const found = parameter.detach().toArray() as number[];
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
    optimizer.dispose();
  });

  it('refuse settings and parameters that cannot be meant', () => {
    expect(() => new optim.SGD([])).toThrow(/at least one parameter/);
    expect(() => new optim.SGD([zeros([2])])).toThrow(/number 0 does not/);
    const parameter = zeros([2]);
    parameter.requiresGrad = true;
    expect(() => new optim.Adam([parameter], { lr: -1 })).toThrow(
      /lr must be a number from 0, found -1/,
    );
    expect(() => new optim.SGD([parameter], { nesterov: true })).toThrow(
      /nesterov expects a momentum/,
    );
  });
});

describe('autograd', () => {
  const leaf = (values: number[]): Tensor => {
    const x = tensor(values);
    x.requiresGrad = true;
    return x;
  };

  it('adds gradients up, weighs outputs, and keeps the graph when asked', () => {
    const x = leaf([1, 2]);
    expect(x.grad).toBeNull();
    const y = x.square();
    y.backward(tensor([1, 10]), { retainGraph: true });
    expect(x.grad!.toArray()).toEqual([2, 40]);
    y.backward(tensor([1, 10]));
    expect(x.grad!.toArray()).toEqual([4, 80]);
    expect(() => y.backward(tensor([1, 1]))).toThrow(
      expect.objectContaining({ code: 'torch-operator' }),
    );
    x.grad = tensor([7, 7]);
    expect(x.grad.toArray()).toEqual([7, 7]);
    expect(() => (x.grad = tensor([1]))).toThrow(
      expect.objectContaining({ code: 'torch-argument' }),
    );
    x.grad = null;
    expect(x.grad).toBeNull();
    expect(() => (tensor([1], { dtype: 'int64' }).requiresGrad = true)).toThrow(
      expect.objectContaining({ code: 'torch-operator' }),
    );
  });

  it('differentiates twice, and says where nothing depends on an input', () => {
    const x = leaf([2]);
    const [first] = grad([x.pow(3).sum()], [x], { createGraph: true });
    const [second] = grad([first!.sum()], [x]);
    expect([first!.item(), second!.item()]).toEqual([12, 12]);
    const other = leaf([1]);
    expect(() => grad([x.sum()], [other])).toThrow(
      expect.objectContaining({ code: 'torch-operator' }),
    );
    expect(grad([x.sum()], [other], { allowUnused: true })).toEqual([null]);
  });

  it('has modes that nest and are restored when the body throws', () => {
    const x = leaf([1]);
    expect(
      noGrad(() => [
        x.mul(2).requiresGrad,
        enableGrad(() => x.mul(2).requiresGrad),
        isGradEnabled(),
      ]),
    ).toEqual([false, true, false]);
    expect(() =>
      noGrad(() => {
        throw new Error('out');
      }),
    ).toThrow('out');
    expect(isGradEnabled()).toBe(true);
    expect(
      inferenceMode(() => inferenceMode(() => x.mul(2).is_inference()) && x.mul(2).is_inference()),
    ).toBe(true);
    expect(x.mul(2).is_inference()).toBe(false);
    expect(x.mul(2).requiresGrad).toBe(true);
  });
});
