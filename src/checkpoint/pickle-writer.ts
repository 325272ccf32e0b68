/**
 * Writes the pickle of a state dict (protocol 2): an OrderedDict from names to tensors, in the
 * opcodes torch.save uses.
 */
import type { DType } from '../torch/tensor.js';
import { namesByDtype, storageDtypes } from './dtypes.js';
import { contiguousStrides } from './entries.js';

export const storageNames = namesByDtype(storageDtypes);

export interface PickledTensor {
  name: string;
  dtype: DType;
  shape: readonly number[];
  numel: number;
  /** Name of its storage in the zip. */
  key: string;
}

const opcodes = (...bytes: number[]): Buffer => Buffer.from(bytes);
const mark = Buffer.from('(');
const tuple = Buffer.from('t');
const reduce = Buffer.from('R');
const orderedDict = Buffer.concat([Buffer.from('ccollections\nOrderedDict\n)'), reduce]);
const rebuildTensor = Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n');

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = opcodes(0x58, 0, 0, 0, 0); // BINUNICODE
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function whole(value: number): Buffer {
  if (value < 2 ** 31) {
    const int = opcodes(0x4a, 0, 0, 0, 0); // BININT
    int.writeInt32LE(value, 1);
    return int;
  }
  const long = opcodes(0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0); // LONG1
  long.writeBigInt64LE(BigInt(value), 2);
  return long;
}

function tensorPickle({ dtype, shape, numel, key }: PickledTensor): Buffer {
  return Buffer.concat([
    rebuildTensor,
    mark,
    mark,
    text('storage'),
    Buffer.from(`ctorch\n${storageNames[dtype]!}\n`),
    text(key),
    text('cpu'),
    whole(numel),
    tuple,
    Buffer.from('Q'), // BINPERSID
    whole(0),
    mark,
    ...shape.map(whole),
    tuple,
    mark,
    ...contiguousStrides(shape).map(whole),
    tuple,
    opcodes(0x89),
    orderedDict,
    tuple,
    reduce,
  ]);
}

/** Pickle of a state dict with these tensors, in this order. */
export function stateDictPickle(tensors: readonly PickledTensor[]): Buffer {
  return Buffer.concat([
    opcodes(0x80, 2),
    orderedDict,
    mark,
    ...tensors.flatMap((tensor) => [text(tensor.name), tensorPickle(tensor)]),
    Buffer.from('u.'),
  ]); // SETITEMS, STOP
}
