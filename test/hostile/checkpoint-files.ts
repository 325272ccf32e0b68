/** Builds hostile checkpoints byte by byte: zips whose fields can lie, pickles by opcode. */
import { crc32 } from 'node:zlib';

export interface ZipPart {
  name: string;
  bytes: Uint8Array;
  /** Fields of the directory's record that say something else than the truth. */
  lies?: {
    compressed?: number;
    uncompressed?: number;
    header?: number;
    method?: number;
    flags?: number;
    extra?: Uint8Array;
  };
}

export interface ZipLies {
  count?: number;
  directoryOffset?: number;
  directoryBytes?: number;
  /** Puts a zip64 end record in front with these fields. */
  zip64?: { count?: bigint; directoryOffset?: bigint; directoryBytes?: bigint };
}

export function zipOf(parts: readonly ZipPart[], lies: ZipLies = {}): Buffer {
  const chunks: Buffer[] = [];
  const records: Buffer[] = [];
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    chunks.push(Buffer.from(bytes));
    at += bytes.length;
  };
  for (const { name, bytes, lies: said = {} } of parts) {
    const header = at;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt32LE(crc32(bytes), 14);
    local.writeUInt32LE(bytes.length, 18);
    local.writeUInt32LE(bytes.length, 22);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    put(local);
    put(Buffer.from(name));
    put(bytes);
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE(said.flags ?? 0, 8);
    record.writeUInt16LE(said.method ?? 0, 10);
    record.writeUInt32LE(crc32(bytes), 16);
    record.writeUInt32LE(said.compressed ?? bytes.length, 20);
    record.writeUInt32LE(said.uncompressed ?? said.compressed ?? bytes.length, 24);
    record.writeUInt16LE(Buffer.byteLength(name), 28);
    record.writeUInt16LE(said.extra?.length ?? 0, 30);
    record.writeUInt32LE(said.header ?? header, 42);
    records.push(Buffer.concat([record, Buffer.from(name), said.extra ?? new Uint8Array()]));
  }
  const directory = Buffer.concat(records);
  const directoryOffset = at;
  put(directory);
  if (lies.zip64 !== undefined) {
    const end = Buffer.alloc(76);
    end.writeUInt32LE(0x06064b50, 0);
    end.writeBigUInt64LE(lies.zip64.count ?? BigInt(parts.length), 32);
    end.writeBigUInt64LE(lies.zip64.directoryBytes ?? BigInt(directory.length), 40);
    end.writeBigUInt64LE(lies.zip64.directoryOffset ?? BigInt(directoryOffset), 48);
    end.writeUInt32LE(0x07064b50, 56);
    end.writeBigUInt64LE(BigInt(at), 64);
    put(end);
  }
  const tail = Buffer.alloc(22);
  tail.writeUInt32LE(0x06054b50, 0);
  tail.writeUInt16LE(lies.count ?? parts.length, 10);
  tail.writeUInt32LE(lies.directoryBytes ?? directory.length, 12);
  tail.writeUInt32LE(lies.directoryOffset ?? directoryOffset, 16);
  put(tail);
  return Buffer.concat(chunks);
}

export const bytes = (...parts: (number | string | Uint8Array)[]): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string),
    ),
  );

export const u32 = (value: number): Buffer => {
  const made = Buffer.alloc(4);
  made.writeUInt32LE(value);
  return made;
};

/** Opcodes as pieces of a pickle. */
export const op = {
  proto: bytes(0x80, 2),
  stop: bytes('.'),
  mark: bytes('('),
  list: bytes(']'),
  dict: bytes('}'),
  append: bytes('a'),
  appends: bytes('e'),
  setitem: bytes('s'),
  setitems: bytes('u'),
  tuple: bytes('t'),
  emptyTuple: bytes(')'),
  tuple1: bytes(0x85),
  tuple2: bytes(0x86),
  reduce: bytes('R'),
  build: bytes('b'),
  newobj: bytes(0x81),
  memoize: bytes(0x94),
  dup: bytes('2'),
  persid: bytes('Q'),
  false: bytes(0x89),
  none: bytes('N'),
  pop: bytes('0'),
  text: (value: string): Buffer => bytes('X', u32(Buffer.byteLength(value)), value),
  int: (value: number): Buffer => bytes('J', u32(value >>> 0)),
  long: (value: bigint): Buffer => {
    const made = Buffer.alloc(10);
    made[0] = 0x8a;
    made[1] = 8;
    made.writeBigInt64LE(value, 2);
    return made;
  },
  global: (module: string, name: string): Buffer => bytes('c', `${module}\n${name}\n`),
  put: (key: number): Buffer => bytes('r', u32(key)),
  get: (key: number): Buffer => bytes('j', u32(key)),
};

export interface TensorClaims {
  numel?: number | bigint;
  offset?: number | bigint;
  size?: readonly (number | bigint)[];
  stride?: readonly (number | bigint)[];
  key?: string;
}

const whole = (value: number | bigint): Buffer => op.long(BigInt(value));

/** `_rebuild_tensor_v2(…)` of a float32 storage, with whatever sizes. */
export function tensorPickle({
  numel = 4,
  offset = 0,
  size = [4],
  stride = [1],
  key = '0',
}: TensorClaims = {}): Buffer {
  return bytes(
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.mark,
    op.mark,
    op.text('storage'),
    op.global('torch', 'FloatStorage'),
    op.text(key),
    op.text('cpu'),
    whole(numel),
    op.tuple,
    op.persid,
    whole(offset),
    op.mark,
    ...size.map(whole),
    op.tuple,
    op.mark,
    ...stride.map(whole),
    op.tuple,
    op.false,
    op.global('collections', 'OrderedDict'),
    op.emptyTuple,
    op.reduce,
    op.tuple,
    op.reduce,
  );
}

/** A state dict with one tensor. */
export const dictPickle = (value: Buffer, key = 'weight'): Buffer =>
  bytes(op.proto, op.dict, op.text(key), value, op.setitem, op.stop);

/** A `.pt` zip around a pickle, with a storage of 16 bytes. */
export const ptOf = (pickle: Buffer, storage: Uint8Array = new Uint8Array(16)): ZipPart[] => [
  { name: 'archive/data.pkl', bytes: pickle },
  { name: 'archive/byteorder', bytes: Buffer.from('little') },
  { name: 'archive/data/0', bytes: storage },
];

export function safetensorsOf(header: unknown, data = 0): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(data)]);
}
