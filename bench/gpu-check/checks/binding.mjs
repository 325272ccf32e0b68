/** The binding on the device: numbers, generators, dtypes, errors by code. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  cuda,
  fromTypedArray,
  Generator,
  ops,
  scope,
  ScriptModule,
  tensor,
} from '../../../dist/src/torch/index.js';
import { expect, skip } from '../checks.mjs';

/** Code of the error that `body` throws. */
function codeOf(body) {
  try {
    scope(() => {
      body();
      return null;
    });
    return 'no error';
  } catch (error) {
    return error.code;
  }
}

function expectCode(body, wanted, what) {
  const found = codeOf(body);
  expect(found === wanted, `${what}: expected ${wanted}, found ${found}`);
}

export const checks = ({ device, root }) => [
  {
    name: 'products agree with the CPU',
    body: () =>
      scope(() => {
        const x = ops.randn([256, 256]);
        const exact = x.to({ dtype: 'float64' }).matmul(x.to({ dtype: 'float64' }));
        const product = x.to({ device }).matmul(x.to({ device }));
        const deviation = product.cpu().sub(exact).abs().max().item();
        expect(deviation < 1e-3, `off by ${deviation}`);
        return `float32 is off by ${deviation.toExponential(1)}`;
      }),
  },
  {
    name: 'copies there and back',
    body: () =>
      scope(() => {
        const numbers = Float32Array.from({ length: 1000 }, (_, i) => i / 7);
        const back = fromTypedArray(numbers, [1000], { device }).cpu().toTypedArray();
        expect(
          numbers.every((number, i) => Object.is(number, back[i])),
          'numbers changed on the way',
        );
        const halves = fromTypedArray(numbers, [1000], { device }).to({ dtype: 'bfloat16' });
        expect(halves.device === device, 'a conversion left the device');
      }),
  },
  {
    name: 'sums to float64',
    body: () =>
      scope(() => {
        const ones = ops.ones([2 ** 22], { device, dtype: 'bfloat16' });
        const sum = ones.sum({ dtype: 'float64' }).item();
        expect(sum === 2 ** 22, `a sum of ${2 ** 22} ones is ${sum}`);
      }),
  },
  {
    name: 'generators repeat',
    body: () =>
      scope(() => {
        const generator = new Generator(device).manualSeed(5);
        const first = ops.randn([64], { device, generator });
        const again = ops.randn([64], { device, generator: generator.manualSeed(5) });
        expect(first.equal(again), 'the same seed gives other numbers');
      }),
  },
  {
    name: 'the generator of the device repeats',
    needsGpu: true,
    body: () =>
      scope(() => {
        cuda.manualSeed(5, device);
        const seeded = ops.randn([64], { device });
        cuda.manualSeed(5, device);
        expect(seeded.equal(ops.randn([64], { device })), 'cuda.manualSeed does not repeat');
      }),
  },
  {
    name: 'asynchronous calls stay on the device',
    body: async () => {
      const x = ops.ones([8, 8], { device });
      const product = await ops.matmul.async(x, x);
      expect(product.device === device, `the product is on ${product.device}`);
      expect(product.sum().item() === 512, 'the product is wrong');
      for (const each of [x, product]) each.dispose();
    },
  },
  {
    name: 'error codes',
    body: () => {
      expectCode(
        () => ops.ones([2], { device }).add(tensor([1, 2])),
        'torch-operator',
        'two devices',
      );
      expectCode(() => ops.zeros([2 ** 44], { device }), 'device-memory', 'too much memory');
      expectCode(() => ops.zeros([2], { device: 'cuda:99' }), 'device-unavailable', 'cuda:99');
      expectCode(() => ops.ones([2], { device }).reshape([3]), 'torch-operator', 'a wrong shape');
      const works = scope(() => ops.ones([2], { device }).sum().item());
      expect(works === 2, 'the device does not work after errors');
    },
  },
  {
    name: 'TorchScript programs',
    body: () => {
      const program = join(root, 'test/golden/script/calls.pt');
      if (!existsSync(program)) skip(`${program} does not exist`);
      const module = new ScriptModule(program, { device });
      try {
        const found = scope(
          () => module.forwardSync(ops.ones([1, 2], { device }), { times: 2 }).device,
        );
        expect(found === device, `the result is on ${found}`);
      } finally {
        module.dispose();
      }
    },
  },
];
