/**
 * Mistakes and abuse of the binding by a program: each ends in a coded error or an answer, never in
 * a crash.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  arange,
  enableGrad,
  Generator,
  inferenceMode,
  isGradEnabled,
  isTensor,
  manualSeed,
  memory,
  noGrad,
  ones,
  operator,
  ops,
  scope,
  ScriptModule,
  setNumThreads,
  synchronize,
  Tensor,
  tensor,
  type Tensor as T,
} from '#src/torch/index.js';

const coded = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });
const getter = (of: object, name: string): (() => unknown) =>
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(of) as object, name)!.get!;

describe('objects that are no Tensors', () => {
  it('are never taken for one, whatever their prototype says', () => {
    const generator = new Generator();
    const posing: object = Object.setPrototypeOf(new Generator(), Tensor.prototype);
    for (const receiver of [generator, {}, [], 1, null, posing, Object.create(Tensor.prototype)]) {
      for (const name of ['shape', 'grad', 'numel'])
        expect(() => getter(ones([1]), name).call(receiver)).toThrow(
          coded(
            receiver === posing || Object.getPrototypeOf(receiver ?? {}) === Tensor.prototype
              ? 'tensor-disposed'
              : 'torch-argument',
          ),
        );
      expect(() => ones([1]).item.call(receiver as T)).toThrow();
      expect(() => ops.relu(receiver as T)).toThrow(
        coded(
          receiver === posing || Object.getPrototypeOf(receiver ?? {}) === Tensor.prototype
            ? 'tensor-disposed'
            : 'torch-argument',
        ),
      );
    }
    expect(() => getter(generator, 'device').call(ones([1]))).toThrow(
      coded('torch-argument', /property of a Generator, found a Tensor/),
    );
    expect(() => Tensor.prototype.shape).toThrow(coded('torch-argument'));
    expect(() => new (Tensor as unknown as new () => T)()).toThrow(
      /cannot be constructed directly/,
    );
    expect(isTensor(new Proxy(ones([1]), {})) && isTensor(ones([1]))).toBe(true);
    expect(() => ops.relu(new Proxy(ones([1]), {}))).toThrow(coded('tensor-disposed', /Proxy/));
  });

  it('may be arrays that hold themselves', () => {
    const circle: unknown[] = [];
    circle[0] = circle;
    let deep: unknown[] = [1];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    for (const given of [circle, deep])
      expect(() => ops.relu(given as never)).toThrow(
        coded('torch-argument', /found an array of 1 that begins with an array/),
      );
    expect(() => ops.full([2], deep as never)).toThrow(coded('torch-argument'));
  });
});

describe('arguments that change while they are read', () => {
  it('are read once, and a tensor disposed of meanwhile stays whole', () => {
    const x = ones([4]);
    const dims = [0];
    Object.defineProperty(dims, 0, { get: () => (x.dispose(), 0) });
    expect(ops.sum(x, dims).item()).toBe(4);
    expect(x.disposed).toBe(true);
    const y = ones([3]);
    expect([
      ...(y.toTypedArray({
        get raw() {
          y.dispose();
          return false;
        },
      }) as Float32Array),
    ]).toEqual([1, 1, 1]);
  });

  it('may throw', () => {
    const dims: number[] = [];
    Object.defineProperty(dims, 0, {
      get: () => {
        throw new RangeError('mine');
      },
    });
    expect(() => ops.sum(ones([2]), dims)).toThrow(RangeError);
    expect(() =>
      ops.sum(
        ones([2]),
        new Proxy(
          {},
          {
            ownKeys: () => {
              throw new RangeError('mine');
            },
          },
        ),
      ),
    ).toThrow(RangeError);
  });
});

describe('memory that is not there', () => {
  it('is not read', () => {
    const zero = operator('_efficientzerotensor')([2]) as T;
    expect(zero.toArray()).toEqual([0, 0]);
    expect(() => zero.asTypedArray()).toThrow(coded('torch-argument', /without memory/));
    expect(() => ops.empty([2], { device: 'meta' }).toArray()).toThrow(coded('torch-operator'));
    const before = memory();
    expect(ops.empty([2 ** 40], { device: 'meta' }).numel).toBe(2 ** 40);
    expect(memory().bytes).toBe(before.bytes);
  });

  it('is not freed under a typed array by a copy on write', () => {
    const x = ones([4]);
    const view = x.asTypedArray();
    expect(() => operator('_lazy_clone')(x)).toThrow(
      coded('torch-refused', /typed array lies over/),
    );
    expect([...(view as Float32Array)]).toEqual([1, 1, 1, 1]);
    const y = ones([4]);
    const copy = operator('_lazy_clone')(y) as T;
    const lent = y.asTypedArray() as Float32Array;
    lent[0] = 5;
    expect([y.toArray(), copy.toArray()]).toEqual([
      [5, 1, 1, 1],
      [1, 1, 1, 1],
    ]);
  });

  it('of nested tensors has a name', () => {
    const nested = operator('_nested_tensor_from_tensor_list')([ones([2]), ones([3])]) as T;
    expect([String(nested), inspect(nested)]).toEqual([
      'Tensor(nested, float32, cpu)',
      'Tensor(nested, float32, cpu)',
    ]);
  });
});

describe('settings', () => {
  it.each([0, -1, 1.5, NaN, 1025, 1e9, '2', undefined])('setNumThreads(%s)', (count) =>
    expect(() => setNumThreads(count as number)).toThrow(
      coded('torch-argument', /whole number from 1 to 1024/),
    ),
  );
  it.each([-1, 0.5, NaN, 2 ** 53, -1n, 2n ** 64n, 'x', undefined])('manualSeed(%s)', (seed) =>
    expect(() => manualSeed(seed as number)).toThrow(
      coded('torch-argument', /manualSeed: argument 'seed'/),
    ),
  );

  it('seeds are whole, 64 bits wide', () => {
    manualSeed(2n ** 64n - 1n);
    const first = ops.rand([3]).toArray();
    manualSeed(2n ** 64n - 1n);
    expect(ops.rand([3]).toArray()).toEqual(first);
    expect(ops.full([1], 2n ** 64n - 1n, { dtype: 'uint64' }).toArray()).toEqual([2n ** 64n - 1n]);
  });

  it.each(['xpu', 'mps', 'cuda:77', 'privateuseone'])(
    '%s is a device that is not there',
    (device) => {
      expect(() => ops.zeros([2], { device })).toThrow(coded('device-unavailable'));
      expect(() => ones([2]).to(device)).toThrow(coded('device-unavailable'));
    },
  );

  it('names that are no devices', () => {
    for (const device of ['gpu', 'cuda:x', 'cuda:99999999999999999999', ''])
      expect(() => ops.zeros([2], { device })).toThrow(
        coded('torch-argument', /expected a device/),
      );
    expect(() => synchronize('gpu')).toThrow(coded('torch-argument'));
    expect(() => synchronize('vulkan')).toThrow(coded('device-unavailable'));
  });
});

describe('asynchronous functions', () => {
  it('are refused by what ends when they return, and free what they made', async () => {
    // What the garbage collector takes meanwhile is other tests'.
    const held = (): number => memory().handles + memory().collected;
    const before = held();
    for (const run of [scope, noGrad, enableGrad, inferenceMode]) {
      expect(() =>
        (run as (body: () => unknown) => unknown)(async () => Promise.reject(new Error('dropped'))),
      ).toThrow(coded('torch-argument', /returned a promise/));
    }
    expect(() => (scope as (body: () => unknown) => unknown)(async () => arange(3))).toThrow(
      coded('torch-argument', /asyncScope/),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect([held(), isGradEnabled()]).toEqual([before, true]);
  });

  it('may give back objects that hold each other', () => {
    interface Node {
      value: T;
      next?: Node;
    }
    const node = scope(() => {
      const made: Node = { value: ones([2]) };
      made.next = made;
      return made;
    });
    expect(node.value.toArray()).toEqual([1, 1]);
    node.value.dispose();
    expect(Promise.resolve(ops)).toBeInstanceOf(Promise); // looks for a `then`
  });
});

describe('ScriptModule', () => {
  it('is freed by dispose, once the calls under way are done', async () => {
    const module_ = new ScriptModule(
      fileURLToPath(new URL('../golden/script/calls.pt', import.meta.url)),
    );
    const running = module_.forward(tensor([[1, 1]]));
    const parameter = module_.parameters().get('linear.bias')!;
    module_.dispose();
    module_.dispose();
    expect([module_.disposed, (await running).detach().toArray(), parameter.shape]).toEqual([
      true,
      [[3.5, 6.5]],
      [2],
    ]);
    for (const use of [
      () => module_.methods(),
      () => module_.forwardSync(tensor([[1, 1]])),
      () => module_.parameters(),
      () => module_.eval(),
    ])
      expect(use).toThrow(coded('tensor-disposed', /ScriptModule was disposed/));
    await expect(module_.forward(tensor([[1, 1]]))).rejects.toEqual(coded('tensor-disposed'));
  });
});

describe('warnings of libtorch', () => {
  it('are warnings of the process', () => {
    const binding = JSON.stringify(
      fileURLToPath(new URL('../../dist/src/torch/index.js', import.meta.url)),
    );
    const program = `import { ops } from ${binding};
      const seen = [];
      process.on('warning', ({ name, message }) => seen.push([name, message.slice(0, 50)]));
      ops.add(ops.ones([3]), 1, { out: ops.ones([2]) });
      setImmediate(() => console.log(JSON.stringify(seen)));`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--no-warnings', '--input-type=module', '-e', program],
      { encoding: 'utf8' },
    );
    expect([JSON.parse(stdout), stderr]).toEqual([
      [['TorchWarning', 'An output with one or more elements was resized si']],
      '',
    ]);
  });
});
