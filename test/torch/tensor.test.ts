/** Tensors from JavaScript values, and operators through the dispatcher. */
import { describe, expect, it } from 'vitest';
import {
  arange,
  fromTypedArray,
  Generator,
  isTensor,
  ops,
  operator,
  scalar,
  scope,
  tensor,
  Tensor,
  TorchError,
  zeros,
} from '#src/torch/index.js';

describe('tensors from JavaScript', () => {
  it('keeps shape, dtype and values', () => {
    const t = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(t).toBeInstanceOf(Tensor);
    expect([t.shape, t.strides, t.dtype, t.device, t.numel]).toEqual([
      [2, 3],
      [3, 1],
      'float32',
      'cpu',
      6,
    ]);
    expect(t.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(scalar(7).toArray()).toBe(7);
    expect([scalar(true).dtype, scalar(2n).dtype, scalar({ re: 1, im: 2 }).dtype]).toEqual([
      'bool',
      'int64',
      'complex64',
    ]);
    expect(tensor([true, false]).dtype).toBe('bool');
    expect(tensor([2n ** 60n]).toTypedArray()).toEqual(BigInt64Array.of(2n ** 60n));
  });

  it.each([
    'float32',
    'float64',
    'float16',
    'bfloat16',
    'int8',
    'uint8',
    'int16',
    'int32',
    'int64',
    'bool',
  ] as const)('goes through %s and back', (dtype) => {
    const t = tensor([0, 1, 1, 0], { dtype });
    expect(t.dtype).toBe(dtype);
    expect(t.toArray()).toEqual(dtype === 'bool' ? [false, true, true, false] : [0, 1, 1, 0]);
  });

  it('rounds to bfloat16 as hardware does', () => {
    // 1 + 2^-8 lies between two bfloat16 values and ties to the even one, 1; 1 + 3·2^-8 ties up to
    // 1 + 2^-6.
    expect(tensor([1 + 2 ** -8, 1 + 3 * 2 ** -8], { dtype: 'bfloat16' }).toArray()).toEqual([
      1,
      1 + 2 ** -6,
    ]);
  });

  it('refuses ragged and foreign data', () => {
    expect(() => tensor([[1, 2], [3]])).toThrow(/expected 2 entries at depth 1, found 1/);
    expect(() => fromTypedArray(new Float32Array(5), [2, 3])).toThrow(/wants 6 elements/);
    expect(() => fromTypedArray(new DataView(new ArrayBuffer(8)))).toThrow(TorchError);
    expect(isTensor({ shape: [1], dispose() {} })).toBe(false);
  });

  it('copies what it is given', () => {
    const source = Float32Array.of(1, 2);
    const t = fromTypedArray(source);
    source[0] = 9;
    expect(t.toArray()).toEqual([1, 2]);
    const out = t.toTypedArray();
    out[1] = 9;
    expect(t.toArray()).toEqual([1, 2]);
  });
});

describe('operators through the dispatcher', () => {
  const a = tensor([
    [3, 1, 2],
    [9, 7, 8],
  ]);

  it('takes positional and named arguments, defaults and lists', () => {
    expect(a.add(1).toArray()).toEqual([
      [4, 2, 3],
      [10, 8, 9],
    ]);
    expect(a.add(a, { alpha: 2 }).toArray()).toEqual([
      [9, 3, 6],
      [27, 21, 24],
    ]);
    const [values, indices] = ops.topk(a, 2, { dim: -1 });
    expect([values.toArray(), indices.toArray(), indices.dtype]).toEqual([
      [
        [3, 2],
        [9, 8],
      ],
      [
        [0, 2],
        [0, 2],
      ],
      'int64',
    ]);
    expect(a.sum([1], { keepdim: true, dtype: 'float64' }).toArray()).toEqual([[6], [24]]);
    expect(ops.cat([a, a], 1).shape).toEqual([2, 6]);
    expect(ops.full([2], 2).dtype).toBe('int64'); // JavaScript cannot tell 2 from 2.0
  });

  it('returns the argument itself from in-place and out= operators', () => {
    const t = zeros([2]);
    expect(t.add_(1)).toBe(t);
    const out = zeros([2]);
    expect(ops.mul(t, t, { out })).toBe(out);
    expect(out.toArray()).toEqual([1, 1]);
  });

  it('indexes with a list of optional tensors', () => {
    expect(ops.index(a, [null, tensor([0, 2], { dtype: 'int64' })]).toArray()).toEqual([
      [3, 2],
      [9, 8],
    ]);
  });

  it('names operator, argument, expected and found', () => {
    const call = (): unknown => operator('topk')(a, 'two');
    expect(call).toThrow(TorchError);
    expect(call).toThrow(
      /aten::topk.*argument 'k': expected a whole number, found the string 'two'/s,
    );
    expect(() => operator('add')(a, 1, { beta: 2 })).toThrow(/no argument named 'beta'/);
    expect(() => operator('no_such_operator')).toThrow(/no operator 'aten::no_such_operator'/);
    expect(() => operator('relu')(a, a)).toThrow(/at most 1 positional arguments, found 2/);
  });

  it('reports libtorch errors without C++ frames', () => {
    try {
      a.matmul(a);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(TorchError);
      expect((error as TorchError).code).toBe('torch-operator');
      expect((error as TorchError).message).toMatch(/shapes cannot be multiplied \(2x3 and 2x3\)/);
      expect((error as TorchError).message).not.toMatch(/Exception raised from|frame #/);
    }
  });

  it('reports too large an allocation as device-memory', () => {
    try {
      ops.empty([2 ** 45], { dtype: 'float32' });
      expect.unreachable();
    } catch (error) {
      expect((error as TorchError).code).toBe('device-memory');
    }
  });

  it('reaches nearly all overloads of ATen by name', async () => {
    const { operatorSchemas } = await import('#src/torch/index.js');
    const schemas = operatorSchemas().filter((schema) => schema.startsWith('aten::'));
    expect(schemas.length).toBeGreaterThan(3000);
    const names = new Set(schemas.map((schema) => schema.slice(0, schema.search(/[.(]/))));
    for (const name of names) expect(typeof operator(name)).toBe('function');
  });
});

describe('arguments of every kind', () => {
  const a = tensor([
    [3, 1, 2],
    [9, 7, 8],
  ]);

  it('takes generators', () => {
    const draw = (): unknown =>
      ops.rand([3], { generator: new Generator().manualSeed(7) }).toArray();
    expect(draw()).toEqual(draw());
    // torch.rand(3, generator=torch.Generator().manual_seed(7))
    expect(
      ops
        .rand([3], { generator: new Generator().manualSeed(7) })
        .sub(tensor([0.5349, 0.1988, 0.6592]))
        .abs()
        .max()
        .item(),
    ).toBeLessThan(5e-5);
    const generator = new Generator('cpu').manualSeed(2n ** 63n);
    expect([generator.initialSeed(), generator.device]).toEqual([2n ** 63n, 'cpu']);
    const state = generator.getState();
    const first = ops.randperm(10, { generator }).toArray();
    expect(ops.randperm(10, { generator: generator.setState(state) }).toArray()).toEqual(first);
    expect(() => ops.rand([3], { generator: {} as never })).toThrow(
      /argument 'generator': expected a Generator or null, found an object/,
    );
    expect(() => new Generator('nowhere')).toThrow(/expected a device such as/);
    expect(() => new Generator().manualSeed(-1)).toThrow(/whole number from 0/);
    expect(() => (Generator as unknown as () => void)()).toThrow();
  });

  it('takes dtypes, devices, layouts, memory formats, strings, lists, scalars and nulls', () => {
    expect(ops.zeros([2], { dtype: 'float8_e5m2', device: 'cpu', layout: 'strided' }).dtype).toBe(
      'float8_e5m2',
    );
    expect(ops.empty([1, 2, 3, 4], { memory_format: 'channels_last' }).strides).toEqual([
      24, 1, 8, 2,
    ]);
    expect(ops.einsum('ij,jk->ik', [a, a.t()]).toArray()).toEqual(a.matmul(a.t()).toArray());
    // one number for int[2]
    expect(ops.max_pool2d(ops.ones([1, 1, 4, 4]), 2).shape).toEqual([1, 1, 2, 2]);
    expect(ops.zeros(Int32Array.of(2, 3) as never).shape).toEqual([2, 3]);
    expect(ops.clamp(a, null, 3).toArray()).toEqual([
      [3, 1, 2],
      [3, 3, 3],
    ]);
    expect(ops.div(tensor([7]), tensor([2]), { rounding_mode: 'floor' }).toArray()).toEqual([3]);
    expect(ops.add(tensor([1n]), 2n ** 60n).item<bigint>()).toBe(2n ** 60n + 1n);
    expect(ops.zeros([], { device: 'meta' }).device).toBe('meta');
    expect(a.t().size(0)).toBe(3);
  });

  it('converts results of every kind', () => {
    expect(operator('is_floating_point')(a)).toBe(true);
    expect(operator('result_type.Scalar')(a, 2)).toBe('float32');
    expect(operator('sym_size.int')(a, 1)).toBe(3);
    expect(operator('_choose_qparams_per_tensor')(a)).toEqual([
      expect.any(Number),
      expect.any(Number),
    ]);
    expect((operator('unbind')(a, 1) as Tensor[]).map((t) => t.toArray())).toEqual([
      [3, 9],
      [1, 7],
      [2, 8],
    ]);
    expect(operator('qscheme')(ops.quantize_per_tensor(a, 0.1, 0, 'quint8'))).toMatch(
      /per_tensor_affine/,
    );
  });

  it('moves and casts by name, by options and by example', () => {
    const half = a.to('float16');
    expect([
      half.dtype,
      half.to(a).dtype,
      a.to({ dtype: 'int32', device: 'cpu' }).dtype,
      a.to('cpu', { dtype: 'bool' }).dtype,
    ]).toEqual(['float16', 'float32', 'int32', 'bool']);
    expect([
      a.to('meta').device,
      a.double().dtype,
      a.to('cpu', { nonBlocking: true }).device,
    ]).toEqual(['meta', 'float64', 'cpu']);
    expect(operator('is_set_to')(a.to('float32'), a)).toBe(true);
    expect(operator('is_set_to')(a.to('float32', { copy: true }), a)).toBe(false);
    expect(a.to({ memoryFormat: 'preserve_format', copy: true }).toArray()).toEqual(a.toArray());
    expect(() => a.to('float31')).toThrow(
      /expected a device such as 'cpu' or 'cuda:0' or null, found the string 'float31'/,
    );
    expect(() => a.to({ type: 'int8' } as never)).toThrow(
      /expected dtype, device, .* found 'type'/,
    );
  });

  it('names one overload', () => {
    expect((operator('aten::relu.default')(a) as Tensor).shape).toEqual([2, 3]);
    expect(() => operator('add.Tensor')(a, 1)).toThrow(
      /argument 'other': expected a Tensor, found the number 1/,
    );
    expect(() => operator('add.no_such')).toThrow(/no operator 'aten::add.no_such'/);
  });

  it.each<[string, unknown[], RegExp]>([
    ['zeros', ['x'], /'size': expected an array of whole numbers, found the string 'x'/],
    [
      'zeros',
      [[1.5]],
      /'size': .* whole numbers, found an array of 1 that begins with the number 1\.5/,
    ],
    [
      'zeros',
      [[2], { dtype: 'float31' }],
      /'dtype': expected a dtype such as 'float32' or null, found the string 'float31'/,
    ],
    [
      'zeros',
      [[2], { device: 'gpu' }],
      /'device': expected a device such as 'cpu' or 'cuda:0' or null, found the string 'gpu'/,
    ],
    ['empty', [[2], { memory_format: 'rows' }], /'memory_format': expected a memory format/],
    ['sum', [a, [0], 1], /'keepdim': expected true or false, found the number 1/],
    [
      'cat',
      [[a, 1]],
      /'tensors': .* Tensors, found an array of 2 that begins with a Tensor of shape \[2, 3\]/,
    ],
    ['einsum', [1, [a]], /'equation': expected a string, found the number 1/],
    ['add', [a, {}, 1], /found an object/],
    ['relu', [null], /'self': expected a Tensor, found null/],
    ['relu', [], /'self': expected a Tensor, found nothing/],
    ['record_stream', [a, 1], /Stream, which JavaScript cannot give/],
    ['topk', [a, 1, { k: 2 }], /argument 'k' is given twice/],
  ])('%s refuses what does not fit, by name', (name, given, message) => {
    expect(() => operator(name)(...given)).toThrow(TorchError);
    expect(() => operator(name)(...given)).toThrow(message);
  });
});

describe('disposal', () => {
  it('is idempotent, and use afterwards is a clear error', () => {
    const t = arange(3);
    const view = t.narrow(0, 1, 2);
    t.dispose();
    t.dispose();
    expect(t.disposed).toBe(true);
    expect(() => t.add(1)).toThrow(/was disposed/);
    expect(() => t.shape).toThrow(TorchError);
    expect(view.toArray()).toEqual([1, 2]); // a view keeps the storage
  });

  it('works with Symbol.dispose', () => {
    const t = arange(3);
    t[Symbol.dispose]();
    expect(t.disposed).toBe(true);
  });

  it('passes through a scope what is returned', () => {
    let inner: Tensor | undefined;
    const kept = scope(() => {
      inner = zeros([2]);
      return { sum: inner.add(1), list: [inner.add(2)] };
    });
    expect(inner?.disposed).toBe(true);
    expect(kept.sum.toArray()).toEqual([1, 1]);
    expect(kept.list[0]?.toArray()).toEqual([2, 2]);
  });
});
