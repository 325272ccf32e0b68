/**
 * A corpus of pickles that would run code in Python: every way a pickle has of calling something,
 * with every name that attacks use, in a zip, in a legacy file and in a wrapper of allowed calls.
 * Each is refused by a coded error, or its weights are read and the rest is opaque. Nothing is run.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { SaeEvalError } from '#src/errors.js';
import { bytes, dictPickle, op, ptOf, tensorPickle, zipOf } from './checkpoint-files.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-gadgets-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const marker = (): string => join(folder, 'was-run');

/** Modules and names that run, load, import, read or write something when called. */
const names: readonly [module: string, name: string][] = [
  ['os', 'system'],
  ['posix', 'system'],
  ['nt', 'system'],
  ['os', 'popen'],
  ['os', 'execv'],
  ['os', 'remove'],
  ['subprocess', 'Popen'],
  ['subprocess', 'check_output'],
  ['pty', 'spawn'],
  ['shutil', 'rmtree'],
  ['builtins', 'eval'],
  ['builtins', 'exec'],
  ['__builtin__', 'eval'],
  ['builtins', 'getattr'],
  ['builtins', 'setattr'],
  ['builtins', 'open'],
  ['builtins', '__import__'],
  ['builtins', 'compile'],
  ['builtins', 'map'],
  ['builtins', 'type'],
  ['builtins', 'object'],
  ['importlib', 'import_module'],
  ['runpy', '_run_code'],
  ['runpy', 'run_path'],
  ['pickle', 'loads'],
  ['_pickle', 'loads'],
  ['marshal', 'loads'],
  ['types', 'FunctionType'],
  ['types', 'CodeType'],
  ['code', 'interact'],
  ['pdb', 'run'],
  ['timeit', 'timeit'],
  ['torch', 'load'],
  ['torch.serialization', 'load'],
  ['torch.storage', '_load_from_bytes'],
  ['torch.jit', 'load'],
  ['torch.hub', 'load'],
  ['torch._dynamo.guards', 'GuardBuilder.get'],
  ['torch.utils.data', 'DataLoader'],
  ['torch.fx.graph_module', 'reduce_graph_module'],
  ['torch._utils', '_import_dotted_name'],
  ['torch._tensor', '_rebuild_from_type_v2.__globals__'],
  ['torch', 'os.system'],
  ['torch.FloatStorage', '__init__'],
  ['torch.nn.modules', '..os.system'],
  ['numpy.core.multiarray', '_reconstruct'],
  ['numpy', 'load'],
  ['numpy.f2py.crackfortran', 'myeval'],
  ['operator', 'attrgetter'],
  ['operator', 'methodcaller'],
  ['functools', 'partial'],
  ['functools', 'reduce'],
  ['itertools', 'starmap'],
  ['copyreg', '_reconstructor'],
  ['copyreg', 'add_extension'],
  ['socket', 'socket'],
  ['urllib.request', 'urlopen'],
  ['webbrowser', 'open'],
  ['asyncio', 'create_subprocess_shell'],
  ['ctypes', 'CDLL'],
  ['cloudpickle.cloudpickle', '_make_function'],
  ['joblib', 'load'],
  ['sys', 'exit'],
  ['signal', 'raise_signal'],
  ['logging.config', 'listen'],
  ['collections', 'namedtuple'],
  ['collections', 'OrderedDict.__reduce__'],
  ['constructor', 'constructor'],
  ['__proto__', 'constructor'],
  ['process', 'exit'],
  ['child_process', 'execSync'],
];

const command = (): Buffer => op.text(`touch ${marker()}`);

/** A value made with a name: by each opcode that calls or builds, and hidden in what is allowed. */
const forms: Record<string, (module: string, name: string) => Buffer> = {
  REDUCE: (module, name) => bytes(op.global(module, name), command(), op.tuple1, op.reduce),
  'STACK_GLOBAL and REDUCE': (module, name) =>
    bytes(op.text(module), op.text(name), 0x93, command(), op.tuple1, op.reduce),
  NEWOBJ: (module, name) => bytes(op.global(module, name), command(), op.tuple1, op.newobj),
  NEWOBJ_EX: (module, name) => bytes(op.global(module, name), command(), op.tuple1, op.dict, 0x92),
  INST: (module, name) => bytes(op.mark, command(), 'i', `${module}\n${name}\n`),
  OBJ: (module, name) => bytes(op.mark, op.global(module, name), command(), 'o'),
  'BUILD with __setstate__': (module, name) =>
    bytes(
      op.global('collections', 'OrderedDict'),
      op.emptyTuple,
      op.reduce,
      op.dict,
      op.text('__setstate__'),
      op.global(module, name),
      op.setitem,
      op.build,
      command(),
      op.build,
    ),
  'BUILD on it': (module, name) =>
    bytes(op.global(module, name), op.dict, op.text('x'), command(), op.setitem, op.build),
  'a reduce in a reduce': (module, name) =>
    bytes(
      op.global('collections', 'OrderedDict'),
      op.list,
      op.text('a'),
      op.global(module, name),
      command(),
      op.tuple1,
      op.reduce,
      op.tuple2,
      op.append,
      op.tuple1,
      op.reduce,
    ),
  'a tensor rebuilt by it': (module, name) =>
    bytes(
      op.global('torch._tensor', '_rebuild_from_type_v2'),
      op.mark,
      op.global(module, name),
      op.global('torch', 'Tensor'),
      command(),
      op.tuple1,
      op.dict,
      op.tuple,
      op.reduce,
    ),
  'a persistent id': (module, name) =>
    bytes(op.global(module, name), command(), op.tuple1, op.reduce, op.persid),
  'from the memo': (module, name) =>
    bytes(op.global(module, name), op.put(7), op.pop, op.get(7), command(), op.tuple1, op.reduce),
  'named and dropped': (module, name) =>
    bytes(op.global(module, name), command(), op.tuple1, op.reduce, op.pop, op.none),
};

const legacyHead = bytes(0x80, 2, op.long(0x1950a86a20f9469cfc6cn & 0x7fffffffffffffffn), op.stop);

/**
 * The pickle alone at the root, beside a tensor, and in the legacy format's place for an object.
 */
const places: Record<string, (value: Buffer) => Buffer> = {
  'a zip': (value) => zipOf(ptOf(bytes(op.proto, value, op.stop))),
  'a zip beside a tensor': (value) =>
    zipOf(
      ptOf(
        bytes(
          op.proto,
          op.dict,
          op.text('weight'),
          tensorPickle(),
          op.setitem,
          op.text('x'),
          value,
          op.setitem,
          op.stop,
        ),
      ),
    ),
  'a bare pickle': (value) => bytes(0x80, 4, value, op.stop),
  'a legacy file': (value) =>
    Buffer.concat([
      legacyHead,
      bytes(0x80, 2, op.int(1001), op.stop),
      bytes(0x80, 2, op.dict, op.stop),
      bytes(0x80, 2, value, op.stop),
    ]),
};

const beside = 'a zip beside a tensor';

describe(`in ${beside}`, () => {
  it.each(Object.keys(forms))('%s: the tensor is read, and nothing runs', async (form) => {
    for (const [module, name] of names) {
      const path = join(folder, 'file');
      writeFileSync(path, places[beside]!(forms[form]!(module, name)));
      const { entries, opaque } = await readCheckpoint(path);
      expect([...entries.keys()], `${module}.${name}`).toEqual(['weight']);
      // The others are hidden in objects that are read, or dropped by the pickle itself.
      if (!/BUILD with|in a reduce|dropped|tensor rebuilt/.test(form))
        expect(opaque.get('x')?.what, form).toBe(`${module}.${name}`);
      expect(existsSync(marker())).toBe(false);
    }
  });
});

describe.each(Object.keys(places).filter((place) => place !== beside))('in %s', (place) => {
  it.each(Object.keys(forms))(
    `%s: all of ${names.length} names are refused, and nothing runs`,
    async (form) => {
      for (const [module, name] of names) {
        const path = join(folder, 'file');
        writeFileSync(path, places[place]!(forms[form]!(module, name)));
        const error: unknown = await readCheckpoint(path).then(
          () => null,
          (thrown: unknown) => thrown,
        );
        expect(error, `${module}.${name} was read`).toBeInstanceOf(SaeEvalError);
        expect(
          ['checkpoint-forbidden', 'checkpoint-format', 'checkpoint-module'],
          `${module}.${name}: ${(error as Error).message}`,
        ).toContain((error as SaeEvalError).code);
        if (place.startsWith('a zip'))
          expect((error as SaeEvalError).code, `${module}.${name}`).not.toBe('checkpoint-format');
        expect(existsSync(marker())).toBe(false);
      }
    },
  );
});

it('Python runs some of the same files', () => {
  const python = '/usr/bin/python3';
  if (!existsSync(python))
    return console.log('skipped: no python3 to run the planted pickles with');
  for (const form of ['REDUCE', 'INST', 'OBJ', 'a reduce in a reduce']) {
    const path = join(folder, 'file');
    writeFileSync(path, places['a bare pickle']!(forms[form]!('os', 'system')));
    execFileSync(python, [
      '-c',
      `import pickle\ntry:\n pickle.load(open(${JSON.stringify(path)}, 'rb'))\nexcept ` +
        'Exception: pass',
    ]);
    expect(existsSync(marker()), form).toBe(true);
    rmSync(marker());
  }
});

const times = (piece: Buffer, count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => piece));

describe('structures without end', () => {
  it.each<[string, Buffer]>([
    [
      '200,000 lists in one another',
      bytes(op.proto, times(op.list, 200_000), times(op.append, 199_999), op.stop),
    ],
    [
      'dicts in one another',
      dictPickle(
        bytes(times(bytes(op.dict, op.text('a')), 50_000), op.none, times(op.setitem, 50_000)),
      ),
    ],
    ['tuples that double', dictPickle(bytes(op.none, times(bytes(op.dup, op.tuple2), 5000)))],
    [
      'an integer of a megabyte',
      bytes(op.proto, 0x8b, Buffer.from([0, 0, 16, 0]), Buffer.alloc(2 ** 20, 255), op.stop),
    ],
    [
      'a memo of a million places',
      bytes(
        op.proto,
        op.none,
        Buffer.concat(Array.from({ length: 1_000_000 }, (_, i) => op.put(i))),
        op.stop,
      ),
    ],
    [
      'a million objects that are not known',
      bytes(
        op.proto,
        op.global('a', 'b'),
        op.put(0),
        times(bytes(op.get(0), op.emptyTuple, op.reduce), 1_000_000),
        op.stop,
      ),
    ],
    [
      'a long list in each of many objects that are not known',
      dictPickle(
        bytes(
          op.list,
          op.put(0),
          op.mark,
          times(op.none, 1_000_000),
          op.appends,
          op.pop,
          op.global('a', 'b'),
          op.put(1),
          op.pop,
          op.list,
          op.mark,
          times(bytes(op.get(1), op.get(0), op.tuple1, op.reduce), 50_000),
          op.appends,
        ),
      ),
    ],
    [
      'a list that holds itself',
      bytes(op.proto, op.list, op.put(0), op.get(0), op.append, op.stop),
    ],
  ])('%s end in an error', async (_, pickle) => {
    const path = join(folder, 'file');
    writeFileSync(path, zipOf(ptOf(pickle)));
    await expect(readCheckpoint(path)).rejects.toBeInstanceOf(SaeEvalError);
  });
});
