/** Files made to mislead or harm: each is one clear error, nothing runs, and nothing takes long. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { fixture } from '../checkpoint/fixtures/path.js';
import {
  bytes,
  dictPickle,
  op,
  ptOf,
  safetensorsOf,
  tensorPickle,
  u32,
  zipOf,
  type ZipPart,
} from './checkpoint-files.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function written(content: Uint8Array): string {
  const path = join(folder, 'file');
  writeFileSync(path, content);
  return path;
}

/** The error of reading. */
async function failure(path: string): Promise<{ code: string; message: string }> {
  const error: unknown = await readCheckpoint(path).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error, 'was read').not.toBeNull();
  return error as { code: string; message: string };
}

describe('pickles that call something', () => {
  const marker = 'sae-eval-was-run';
  it.each([
    ['os-system', 'posix.system'],
    ['os-system-protocol-4', 'posix.system'],
    ['os-system-legacy', 'posix.system'],
    ['eval', '.eval'],
    ['exec', '.exec'],
    ['torch-load', 'torch.serialization.load'],
    ['load-from-bytes', 'torch.storage._load_from_bytes'],
    ['getattr', '.getattr'],
    ['copyreg', '_reconstructor'],
  ])('%s is refused by name, and nothing runs', async (name, global) => {
    const { code, message } = await failure(fixture(`bad-${name}.pt`));
    expect(code).toBe('checkpoint-forbidden');
    expect(message).toContain(global);
    expect([existsSync(marker), existsSync(fixture(marker))]).toEqual([false, false]);
  });

  it('the marker would be there if the pickle ran', () => {
    const python = '/usr/bin/python3';
    if (!existsSync(python))
      return console.log('skipped: no python3 to run the planted pickle with');
    const planted = bytes(
      op.proto,
      op.global('os', 'system'),
      op.text(`touch ${marker}`),
      op.tuple1,
      op.reduce,
      op.stop,
    );
    const path = written(planted);
    execFileSync(
      python,
      ['-c', `import pickle; pickle.load(open(${JSON.stringify(path)}, 'rb'))`],
      { cwd: folder },
    );
    expect(existsSync(join(folder, marker))).toBe(true);
    rmSync(join(folder, marker));
  });

  it('an array of Python objects in an .npz', async () => {
    expect((await failure(fixture('bad-objects.npz'))).code).toBe('checkpoint-forbidden');
  });

  it.each(['module', 'module-bare', 'module-sequential', 'torchscript'])(
    'a pickled %s says to save its state_dict',
    async (name) => {
      const { code, message } = await failure(fixture(`bad-${name}.pt`));
      expect(code).toBe('checkpoint-module');
      expect(message).toContain('state_dict()');
    },
  );

  it.each([
    [
      'a global by STACK_GLOBAL',
      bytes(
        0x80,
        4,
        op.text('os'),
        op.text('system'),
        0x93,
        op.text('true'),
        op.tuple1,
        op.reduce,
        op.stop,
      ),
    ],
    [
      'one used as a dict',
      bytes(op.proto, op.global('os', 'system'), op.text('a'), op.none, op.setitem, op.stop),
    ],
    ['one as the root', bytes(op.proto, op.global('builtins', 'eval'), op.stop)],
    [
      'one inside an allowed call',
      dictPickle(
        bytes(
          op.global('collections', 'OrderedDict'),
          op.global('os', 'system'),
          op.tuple1,
          op.reduce,
        ),
      ),
    ],
    [
      'an attribute path',
      bytes(0x80, 4, op.text('torch'), op.text('FloatStorage.__init__.__globals__'), 0x93, op.stop),
    ],
    [
      'a name of Object.prototype',
      bytes(
        op.proto,
        op.global('torch', 'constructor'),
        op.text('return 1'),
        op.tuple1,
        op.reduce,
        op.stop,
      ),
    ],
  ])('%s', async (_, pickle) => {
    expect((await failure(written(zipOf(ptOf(pickle))))).code).toBe('checkpoint-forbidden');
  });
});

it('a name beside a tensor is opaque, and nothing runs', async () => {
  const pickle = dictPickle(bytes(op.global('nt', 'system'), op.pop, tensorPickle()));
  const { entries } = await readCheckpoint(written(zipOf(ptOf(pickle))));
  expect([...entries.keys()]).toEqual(['weight']);
  const { entries: read, opaque } = await readCheckpoint(fixture('namespace.pt'));
  expect([...read.keys()]).toContain('encoder.weight');
  expect([...opaque].map(([name, { what }]) => [name, what])).toEqual([
    ['args', 'argparse.Namespace'],
  ]);
});

describe('zips that lie', () => {
  const good = ptOf(dictPickle(tensorPickle()));
  const lying = (index: number, lies: ZipPart['lies']): ZipPart[] =>
    good.map((part, i) => (i === index ? { ...part, lies: lies! } : part));
  const zip64Field = (value: bigint): Buffer => {
    const field = Buffer.alloc(12);
    field.writeUInt16LE(1, 0);
    field.writeUInt16LE(8, 2);
    field.writeBigUInt64LE(value, 4);
    return field;
  };

  it('the same zip without lies is read, with zip64 records too', async () => {
    expect([...(await readCheckpoint(written(zipOf(good)))).entries.keys()]).toEqual(['weight']);
    const wide = zipOf(good, {
      zip64: {},
      count: 0xffff,
      directoryOffset: 0xffffffff,
      directoryBytes: 0xffffffff,
    });
    expect([...(await readCheckpoint(written(wide))).entries.keys()]).toEqual(['weight']);
    const first = zipOf(lying(0, { header: 0xffffffff, extra: zip64Field(0n) }));
    expect([...(await readCheckpoint(written(first))).entries.keys()]).toEqual(['weight']);
  });

  it.each<[string, Buffer]>([
    [
      'a directory offset beyond 2^53',
      zipOf(good, { zip64: { directoryOffset: 0xfffffffffffffff0n } }),
    ],
    ['a directory of 2^60 entries', zipOf(good, { zip64: { count: 2n ** 60n } })],
    ['a directory of 2^52 bytes', zipOf(good, { zip64: { directoryBytes: 2n ** 52n } })],
    ['more entries than there are', zipOf(good, { count: 40_000 })],
    ['a directory past the end', zipOf(good, { directoryOffset: 0x7fffffff })],
    ['an entry past the end', zipOf(lying(2, { compressed: 0x7fffffff }))],
    [
      'an entry of 2^62 bytes',
      zipOf(
        lying(2, {
          compressed: 0xffffffff,
          uncompressed: 0xffffffff,
          extra: Buffer.concat([Buffer.from([1, 0, 16, 0]), Buffer.alloc(16, 0x3f)]),
        }),
      ),
    ],
    ['a header at 2^62', zipOf(lying(2, { header: 0xffffffff, extra: zip64Field(2n ** 62n) }))],
    ['two sizes', zipOf(lying(2, { compressed: 16, uncompressed: 32 }))],
    ['a shorter storage than the pickle says', zipOf(lying(2, { compressed: 8 }))],
    ['a longer storage than the pickle says', zipOf(lying(2, { compressed: 20 }))],
    ['overlapping entries', zipOf(lying(1, { compressed: 60 }))],
    ['two names for one place', zipOf(lying(2, { header: 0 }))],
    ['one name twice', zipOf([...good, good[2]!])],
    ['two data.pkl', zipOf([...good, { ...good[0]!, name: 'other/data.pkl' }])],
    ['an encrypted entry', zipOf(lying(2, { flags: 1 }))],
    ['compression by an unknown method', zipOf(lying(2, { method: 99 }))],
    ['a deflated storage', zipOf(lying(2, { method: 8 }))],
    ['a bomb: a deflated pickle of 4 GB', zipOf(lying(0, { method: 8, uncompressed: 0xfffffff0 }))],
    ['a storage that is not there', zipOf(good.slice(0, 2))],
    ['nothing', zipOf([])],
  ])('%s', async (_, content) => {
    expect((await failure(written(content))).code).toBe('checkpoint-format');
  });

  it('a directory offset beyond 2^53 does not end the process', () => {
    const path = written(zipOf(good, { zip64: { directoryOffset: 0xfffffffffffffff0n } }));
    const code =
      "const { readCheckpoint } = await import('#src/checkpoint/read.js'); await " +
      `readCheckpoint(${JSON.stringify(path)}).catch((error) => ` +
      'process.stdout.write(error.code)); await new Promise((resolve) => setTimeout(resolve, ' +
      '50));';
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
    });
    expect([stdout, status]).toEqual(['checkpoint-format', 0]);
  });

  it.each(['deflated.pt', 'big-endian.pt', 'other.zip', 'list.pt', 'no-tensors.pt', 'plain.pkl'])(
    'bad-%s of Python',
    async (name) => {
      expect((await failure(fixture(`bad-${name}`))).code).toBe('checkpoint-format');
    },
  );
});

describe('tensors that reach outside', () => {
  it.each([
    ['a size past its storage', { size: [5] }],
    ['an offset past its storage', { offset: 1 }],
    ['a negative offset', { offset: -1 }],
    ['a negative size', { size: [-4] }],
    ['a negative stride', { stride: [-1] }],
    ['strides past its storage', { size: [2, 2], stride: [3, 1] }],
    ['a stride of 2^62', { size: [2], stride: [2n ** 62n] }],
    ['sizes whose product overflows', { size: [2 ** 40, 2 ** 40], stride: [2 ** 40, 1] }],
    ['sizes that wrap around 2^64', { size: [2 ** 33, 2 ** 31], stride: [2 ** 31, 1] }],
    ['an offset that wraps around', { offset: 2n ** 63n - 1n }],
    ['an offset near 2^53', { offset: 2 ** 53 - 1 }],
    ['a storage of 2^53 elements', { numel: 2 ** 53 - 1 }],
    ['a storage of -1 elements', { numel: -1 }],
    ['unequal numbers of sizes and strides', { size: [2, 2], stride: [1] }],
    [
      'a hundred dimensions',
      { size: new Array<number>(100).fill(1), stride: new Array<number>(100).fill(1) },
    ],
    ['a storage elsewhere', { key: '../data.pkl' }],
  ])('%s', async (_, claims) => {
    expect((await failure(written(zipOf(ptOf(dictPickle(tensorPickle(claims))))))).code).toBe(
      'checkpoint-format',
    );
  });

  it('a shape changed after it was checked stays as it was', async () => {
    const pickle = bytes(
      op.proto,
      op.list,
      op.put(1),
      op.int(4),
      op.append,
      op.pop,
      op.list,
      op.put(2),
      op.int(1),
      op.append,
      op.pop,
      op.dict,
      op.text('weight'),
      op.global('torch._utils', '_rebuild_tensor_v2'),
      op.mark,
      op.mark,
      op.text('storage'),
      op.global('torch', 'FloatStorage'),
      op.text('0'),
      op.text('cpu'),
      op.int(4),
      op.tuple,
      op.persid,
      op.int(0),
      op.get(1),
      op.get(2),
      op.false,
      op.none,
      op.tuple,
      op.reduce,
      op.setitem,
      op.get(1),
      op.int(1_000_000),
      op.append,
      op.pop,
      op.stop,
    );
    expect(
      (await readCheckpoint(written(zipOf(ptOf(pickle))))).entries.get('weight')!.shape,
    ).toEqual([4]);
  });

  it('a file that shrank after its headers were read', async () => {
    const path = written(readFileSync(fixture('state-dict.pt')));
    const checkpoint = await readCheckpoint(path);
    writeFileSync(path, readFileSync(path).subarray(0, 700));
    expect(() => openTensors(checkpoint)).toThrow(
      expect.objectContaining({ code: 'checkpoint-format' }),
    );
  });
});

describe('pickles that would fill memory or never end', () => {
  const doubling = (levels: number): Buffer => {
    const parts = [op.list, op.put(0), op.pop];
    for (let i = 1; i <= levels; i++)
      parts.push(op.list, op.put(i), op.get(i - 1), op.append, op.get(i - 1), op.append, op.pop);
    return bytes(...parts);
  };
  const nested = (levels: number): Buffer => {
    const parts = [op.dict, op.put(0), op.text('w'), tensorPickle(), op.setitem, op.pop];
    for (let i = 1; i <= levels; i++)
      parts.push(
        op.dict,
        op.put(i),
        op.text('a'),
        op.get(i - 1),
        op.setitem,
        op.text('b'),
        op.get(i - 1),
        op.setitem,
        op.pop,
      );
    return bytes(...parts, op.get(levels));
  };
  const cyclic = bytes(
    op.dict,
    op.put(0),
    op.text('model'),
    op.get(0),
    op.setitem,
    op.text('self'),
    op.get(0),
    op.setitem,
    op.text('weight'),
    tensorPickle(),
    op.setitem,
  );

  it.each([
    ['a text of 4 GB', bytes(op.proto, 'X', u32(0xffffffff), 'abc')],
    ['bytes of 2^64', bytes(op.proto, 0x8e, Buffer.alloc(8, 0xff))],
    ['bytes of 2^40', bytes(op.proto, 0x8e, Buffer.from([0, 0, 0, 0, 0, 1, 0, 0]))],
    ['an integer of 2^31 bytes', bytes(op.proto, 0x8b, u32(0x7fffffff), 'abc')],
    ['a million marks', bytes(op.proto, Buffer.alloc(1_000_000, '('), op.stop)],
    ['ten million memos', bytes(op.proto, op.list, Buffer.alloc(10_000_000, 0x94), op.stop)],
    ['ten million dicts', bytes(op.proto, Buffer.alloc(10_000_000, '}'), op.stop)],
    ['ten million copies', bytes(op.proto, op.none, Buffer.alloc(10_000_000, '2'), op.stop)],
    [
      'dicts in dicts, a million deep',
      bytes(
        op.proto,
        Buffer.alloc(100_000, '}'),
        ...new Array<Buffer>(99_999).fill(bytes('N2s')),
        op.stop,
      ),
    ],
    [
      'lists in lists, deep',
      dictPickle(bytes(Buffer.alloc(300_000, ']'), Buffer.alloc(299_999, 'a'))),
    ],
    [
      'sets made of one long list again and again',
      bytes(
        op.proto,
        op.list,
        op.put(0),
        op.mark,
        Buffer.alloc(500_000, 'N'),
        op.appends,
        ...new Array<Buffer>(5000).fill(
          bytes(op.global('builtins', 'set'), op.get(0), op.tuple1, op.reduce),
        ),
        op.stop,
      ),
    ],
    [
      'a dict key that is a list doubled sixty times',
      bytes(op.proto, doubling(60), op.dict, op.get(60), op.none, op.setitem, op.stop),
    ],
    [
      'a device that is one',
      bytes(
        op.proto,
        doubling(60),
        op.dict,
        op.text('a'),
        op.global('torch', 'device'),
        op.get(60),
        op.tuple1,
        op.reduce,
        op.setitem,
        op.stop,
      ),
    ],
    [
      'a global that is named by one',
      bytes(op.proto, doubling(60), op.get(60), op.get(60), 0x93, op.stop),
    ],
    [
      'dicts that double, with a tensor below',
      bytes(op.proto, op.dict, op.text('deep'), nested(40), op.setitem, op.stop),
    ],
    ['no end', bytes(op.proto, op.dict)],
    ['an empty stack', bytes(op.proto, op.stop)],
    ['a memo never set', bytes(op.proto, op.get(7), op.stop)],
    ['protocol 0', bytes('(dp0\n.')],
    ['protocol 9', bytes(0x80, 9, op.dict, op.stop)],
  ])('%s', async (_, pickle) => {
    const before = process.memoryUsage().rss;
    expect((await failure(written(zipOf(ptOf(pickle))))).code).toBe('checkpoint-format');
    expect(process.memoryUsage().rss - before).toBeLessThan(600 * 2 ** 20);
  });

  it('values that double, beside a tensor: read, in bounded time', async () => {
    const path = written(
      zipOf(
        ptOf(
          bytes(
            op.proto,
            doubling(14),
            op.dict,
            op.text('weight'),
            tensorPickle(),
            op.setitem,
            op.text('notes'),
            op.get(14),
            op.setitem,
            op.stop,
          ),
        ),
      ),
    );
    expect([...(await readCheckpoint(path)).entries.keys()]).toEqual(['weight']);
  });

  it('a dict that holds itself', async () => {
    const read = await readCheckpoint(written(zipOf(ptOf(bytes(op.proto, cyclic, op.stop))))).catch(
      (error: unknown) => error,
    );
    expect(read).toMatchObject(
      read instanceof Error ? { code: 'checkpoint-format' } : { format: 'pt-zip' },
    );
  });

  it('names that grow along a path', async () => {
    const long = 'n'.repeat(100_000);
    const parts = [op.dict, op.put(0), op.text('w'), tensorPickle(), op.setitem, op.pop];
    for (let i = 1; i <= 14; i++)
      parts.push(
        op.dict,
        op.put(i),
        op.text(long),
        op.get(i - 1),
        op.setitem,
        op.text(`${long}b`),
        op.get(i - 1),
        op.setitem,
        op.pop,
      );
    const pickle = bytes(
      op.proto,
      ...parts,
      op.dict,
      op.text('other'),
      op.get(14),
      op.setitem,
      op.text('model'),
      op.get(0),
      op.setitem,
      op.stop,
    );
    expect((await failure(written(zipOf(ptOf(pickle))))).code).toBe('checkpoint-format');
  });
});

describe('safetensors that lie', () => {
  const f32 = (shape: unknown, from: unknown, to: unknown): unknown => ({
    dtype: 'F32',
    shape,
    data_offsets: [from, to],
  });
  it.each([
    ['a header of 2^63 bytes', bytes(Buffer.alloc(8, 0x7f), '{}')],
    ['a header past the end', bytes(u32(4000), u32(0), '{}')],
    ['no JSON', safetensorsOf('{"a":')],
    ['a list', safetensorsOf('[ ]')],
    [
      'lists in lists in the dtype',
      safetensorsOf(
        `{"a":{"dtype":${'['.repeat(100_000)}${']'.repeat(100_000)},` +
          '"shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
    ],
    ['a tensor that is a number', safetensorsOf({ a: 3 })],
    ['a tensor that is null', safetensorsOf({ a: null })],
    [
      'an unknown dtype',
      safetensorsOf({ a: { dtype: 'toString', shape: [1], data_offsets: [0, 4] } }, 4),
    ],
    ['a size of 1e300', safetensorsOf({ a: f32([1e300], 0, 4) }, 4)],
    ['a size of 1.5', safetensorsOf({ a: f32([1.5], 0, 6) }, 6)],
    ['a negative size', safetensorsOf({ a: f32([-1], 0, 4) }, 4)],
    ['sizes that overflow', safetensorsOf({ a: f32([2 ** 52, 2 ** 52], 0, 4) }, 4)],
    ['sizes that overflow beside a zero', safetensorsOf({ a: f32([0, 2 ** 52, 2 ** 52], 0, 0) })],
    ['offsets past the end', safetensorsOf({ a: f32([4], 0, 16) }, 8)],
    ['offsets in the wrong order', safetensorsOf({ a: f32([1], 4, 0) }, 4)],
    ['offsets that differ from the shape', safetensorsOf({ a: f32([1], 0, 8) }, 8)],
    ['tensors that overlap', safetensorsOf({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12)],
    ['a gap', safetensorsOf({ a: f32([1], 4, 8) }, 8)],
    ['bytes after the last tensor', safetensorsOf({ a: f32([1], 0, 4) }, 8)],
  ])('%s', async (_, content) => {
    expect((await failure(written(content))).code).toBe('checkpoint-format');
  });
});

describe('files cut short', () => {
  it.each([
    'state-dict.pt',
    'nested.pt',
    'legacy.pt',
    'legacy-protocol-4.pt',
    'dtypes.safetensors',
  ])('%s at every 23rd length', async (name) => {
    const whole = readFileSync(fixture(name));
    for (let length = 0; length < whole.length; length += 23) {
      expect(
        (await failure(written(whole.subarray(0, length)))).code,
        `${length} of ${whole.length}`,
      ).toBe('checkpoint-format');
    }
  });

  it('what is no file', async () => {
    expect((await failure(join(folder, 'none.pt'))).code).toBe('file-not-found');
    expect((await failure(folder)).code).toBe('file-unreadable');
    expect((await failure('/dev/zero')).code).toBe('file-unreadable');
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect((await failure(join(folder, 'pipe'))).code).toBe('file-unreadable');
  });
});
