/** Typed arrays of tensors: copies, and views of their memory. */
import { describe, expect, it } from 'vitest';
import { MessageChannel } from 'node:worker_threads';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  arange,
  empty,
  fromTypedArray,
  memory,
  ops,
  scalar,
  scope,
  tensor,
  TorchError,
  type DType,
} from '#src/torch/index.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Finalizers run in a later turn of the loop. */
async function collected(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const forms: [DType, string, string][] = [
  ['float32', 'Float32Array', 'Float32Array'],
  ['float64', 'Float64Array', 'Float64Array'],
  ['float16', 'Float32Array', 'Uint16Array'],
  ['bfloat16', 'Float32Array', 'Uint16Array'],
  ['float8_e4m3fn', 'Float32Array', 'Uint8Array'],
  ['float8_e5m2', 'Float32Array', 'Uint8Array'],
  ['float8_e4m3fnuz', 'Float32Array', 'Uint8Array'],
  ['float8_e5m2fnuz', 'Float32Array', 'Uint8Array'],
  ['int8', 'Int8Array', 'Int8Array'],
  ['int16', 'Int16Array', 'Int16Array'],
  ['int32', 'Int32Array', 'Int32Array'],
  ['int64', 'BigInt64Array', 'BigInt64Array'],
  ['uint8', 'Uint8Array', 'Uint8Array'],
  ['uint16', 'Uint16Array', 'Uint16Array'],
  ['uint32', 'Uint32Array', 'Uint32Array'],
  ['uint64', 'BigUint64Array', 'BigUint64Array'],
  ['bool', 'Uint8Array', 'Uint8Array'],
];

describe('toTypedArray', () => {
  it.each(forms)('%s is a %s, raw a %s', (dtype, usual, raw) => {
    scope(() => {
      const t = tensor([1, 0, 1, 1], { dtype });
      const values = t.toTypedArray();
      expect([
        values.constructor.name,
        Array.from(values as ArrayLike<number | bigint>, Number),
      ]).toEqual([usual, [1, 0, 1, 1]]);
      const bits = t.toTypedArray({ raw: true });
      expect([bits.constructor.name, t.asTypedArray().constructor.name, bits.length]).toEqual([
        raw,
        raw,
        4,
      ]);
      expect(Buffer.from(t.asTypedArray().buffer).equals(Buffer.from(bits.buffer))).toBe(true);
    });
  });

  it('takes 16 bit floats apart and together by their bits', () => {
    scope(() => {
      const t = tensor([1, -2, 0.5], { dtype: 'bfloat16' });
      const bits = t.toTypedArray({ raw: true });
      expect([...(bits as Uint16Array)]).toEqual([0x3f80, 0xc000, 0x3f00]);
      expect(fromTypedArray(bits).view('bfloat16').equal(t)).toBe(true);
      expect([
        ...(tensor([1], { dtype: 'float16' }).toTypedArray({ raw: true }) as Uint16Array),
      ]).toEqual([0x3c00]);
    });
  });

  it('gives complex numbers as pairs', () => {
    scope(() => {
      const z = tensor([
        { re: 1, im: 2 },
        { re: 3, im: -4 },
      ]);
      expect([z.dtype, z.toArray()]).toEqual([
        'complex64',
        [
          { re: 1, im: 2 },
          { re: 3, im: -4 },
        ],
      ]);
      // conj is a lazy view
      expect([...(z.conj().toTypedArray() as Float32Array)]).toEqual([1, -2, 3, 4]);
      expect(z.mul({ re: 0, im: 1 }).toArray()).toEqual([
        { re: -2, im: 1 },
        { re: 4, im: 3 },
      ]);
      expect(z.index(1).item<{ re: number; im: number }>()).toEqual({ re: 3, im: -4 });
      expect(ops.view_as_real(z).toArray()).toEqual([
        [1, 2],
        [3, -4],
      ]);
      expect(() => z.conj().asTypedArray()).toThrow(/found a strided view/);
    });
  });

  it('keeps whole numbers beyond 2^53 whole', () => {
    scope(() => {
      const big = tensor([2n ** 62n + 1n, -1n]);
      expect(big.toArray()).toEqual([2n ** 62n + 1n, -1]);
      expect(big.index(0).item<bigint>()).toBe(2n ** 62n + 1n);
      const unsigned = fromTypedArray(BigUint64Array.of(2n ** 64n - 1n));
      expect([unsigned.dtype, unsigned.item<bigint>(), unsigned.toArray()]).toEqual([
        'uint64',
        2n ** 64n - 1n,
        [2n ** 64n - 1n],
      ]);
      expect(scalar(true).item<boolean>()).toBe(true);
    });
  });

  it('refuses what has no dense form', () => {
    scope(() => {
      const sparse = tensor([
        [0, 1],
        [0, 0],
      ]).to_sparse();
      expect(() => sparse.toTypedArray()).toThrow(/found a sparse one; to_dense\(\) makes one/);
      expect([sparse.layout, sparse.toString()]).toEqual([
        'sparse_coo',
        'Tensor([2, 2], float32, cpu)',
      ]);
    });
  });
});

describe('asTypedArray', () => {
  it('is the tensor itself', () => {
    const t = arange(4, { dtype: 'float32' });
    const view = t.asTypedArray() as Float32Array;
    const again = t.asTypedArray() as Float32Array;
    view[0] = 9;
    t.index([3]).fill_(7);
    expect([t.toArray(), [...view], again[0]]).toEqual([[9, 1, 2, 7], [9, 1, 2, 7], 9]);
    t.dispose();
    view[1] = 5; // the memory is the array's now
    expect([...again]).toEqual([9, 5, 2, 7]);
  });

  it('outlives its tensor, and is freed after it', async () => {
    let view: Float32Array | null = scope(() => ops.ones([2 ** 24]).asTypedArray() as Float32Array);
    await collected();
    expect(view[2 ** 24 - 1]).toBe(1);
    const resident = process.memoryUsage.rss();
    view = null;
    await collected();
    // most of its 64 MiB
    expect(resident - process.memoryUsage.rss()).toBeGreaterThan(32 * 2 ** 20);
  });

  it('never lets its memory be freed by an in-place resize', () => {
    scope(() => {
      const t = ops.ones([4]);
      t.asTypedArray();
      expect(() => t.resize_([2 ** 20])).toThrow(/not resizable/);
    });
  });

  it('refuses views that are not row-major, and has an answer for nothing', () => {
    scope(() => {
      expect(() => ops.ones([2, 3]).t().asTypedArray()).toThrow(
        /row-major tensor on the CPU, found a strided view; toTypedArray/,
      );
      expect(empty([0, 3]).asTypedArray()).toEqual(new Float32Array(0));
      expect(arange(6).narrow(0, 2, 3).asTypedArray()).toEqual(BigInt64Array.of(2n, 3n, 4n));
    });
  });
});

describe('fromTypedArray with share', () => {
  it('sees what the array writes, and writes what it sees', () => {
    const array = Float32Array.from({ length: 10 }, (_, i) => i);
    const t = fromTypedArray(array.subarray(2, 8), [2, 3], { share: true });
    array[2] = -1;
    t.index([1, 2]).fill_(70);
    expect(t.toArray()).toEqual([
      [-1, 3, 4],
      [5, 6, 70],
    ]);
    expect(array[7]).toBe(70);
    t.dispose();
  });

  it('keeps the memory as long as a tensor lies over it', async () => {
    const sum = ((): (() => number) => {
      const t = fromTypedArray(new Float64Array(2 ** 22).fill(1), undefined, { share: true });
      const view = t.narrow(0, 1, 2 ** 22 - 1);
      t.dispose();
      return () => view.sum().item();
    })();
    await collected();
    new Float64Array(2 ** 22).fill(3); // would land where freed memory was
    expect(sum()).toBe(2 ** 22 - 1);
  });

  it('lets it go after the last', async () => {
    await collected(); // what other tests left
    const before = memory();
    let array: Float32Array | null = new Float32Array(2 ** 24).fill(1);
    const gone = new WeakRef(array.buffer);
    const t = fromTypedArray(array, undefined, { share: true });
    array = null;
    await collected();
    expect(gone.deref()).toBeDefined();
    t.dispose();
    await collected();
    expect(gone.deref()).toBeUndefined();
    expect(memory().handles).toBe(before.handles);
  });

  it('cannot be moved to another thread meanwhile', () => {
    const array = Float32Array.of(1, 2);
    const t = fromTypedArray(array, undefined, { share: true });
    const { port1, port2 } = new MessageChannel();
    try {
      port1.postMessage(array.buffer, [array.buffer]);
    } catch (error) {
      // newer versions of Node; older ones copy
      expect((error as Error).name).toBe('DataCloneError');
    }
    expect(array.byteLength).toBe(8);
    expect(t.toArray()).toEqual([1, 2]);
    expect(() => (array.buffer as ArrayBuffer & { transfer(): void }).transfer()).toThrow(
      /a tensor lies over this buffer/,
    );
    port1.close();
    port2.close();
  });

  it.each<[string, () => ArrayBufferView, RegExp]>([
    [
      'memory of other threads',
      () => new Float32Array(new SharedArrayBuffer(16)),
      /a SharedArrayBuffer; leave 'share' out to copy/,
    ],
    [
      'memory that can be resized',
      () =>
        new Float32Array(
          new (ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer)(16, {
            maxByteLength: 64,
          }),
        ),
      /resizable/,
    ],
    [
      'memory that is gone',
      () => {
        const array = new Float32Array(4);
        structuredClone(array.buffer, { transfer: [array.buffer] });
        return array;
      },
      /detached|the array has 0 bytes/,
    ],
  ])('refuses %s', (_, make, message) => {
    const call = (): unknown => fromTypedArray(make(), [4], { share: true });
    expect(call).toThrow(TorchError);
    expect(call).toThrow(message);
  });

  it("refuses to convert, and copies from other threads' memory without share", () => {
    expect(() =>
      fromTypedArray(new Float32Array(1), [1], { share: true, dtype: 'float64' }),
    ).toThrow(/keeps the array's own dtype \(float32\)/);
    const array = new Float32Array(new SharedArrayBuffer(8));
    array[1] = 3;
    expect(fromTypedArray(array).toArray()).toEqual([0, 3]);
  });
});
