/**
 * Writes `.pt` files that `torch.load(weights_only=True)` and its `mmap=True` read: a zip, not
 * compressed, of a state dict's pickle and one storage per tensor. Each storage begins at a
 * multiple of 64 bytes, as in files of torch.save. Entries and offsets beyond 4 GB get the zip64
 * fields of APPNOTE 6.3.10.
 */
import { crc32 } from 'node:zlib';
import { SaeEvalError } from '../errors.js';
import type { Tensor } from '../torch/index.js';
import { stateDictPickle, storageNames } from './pickle-writer.js';
import { itemBytes } from './dtypes.js';
import { tensorPieces, writeAtomically, type FileWriter } from './write-file.js';

interface Part {
  name: string;
  byteLength: number;
  pieces: () => Iterable<Uint8Array>;
}

interface Written {
  name: Buffer;
  byteLength: number;
  crc: number;
  header: number;
}

const alignment = 64;
const most32 = 0xffffffff;
/** DOS date of 1980-01-01, so that the same tensors give the same bytes. */
const date = 0x21;
const version = 45;

function zip64Field(values: readonly number[]): Buffer {
  if (values.length === 0) return Buffer.alloc(0);
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => field.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return field;
}

/** Writes the fields that a local header and a directory record share, from `version needed` on. */
function shared(
  into: Buffer,
  at: number,
  { name, byteLength, crc }: Written,
  extraBytes: number,
): void {
  into.writeUInt16LE(version, at);
  into.writeUInt16LE(0x800, at + 2); // names are UTF-8
  into.writeUInt16LE(date, at + 8);
  into.writeUInt32LE(crc, at + 10);
  into.writeUInt32LE(Math.min(byteLength, most32), at + 14);
  into.writeUInt32LE(Math.min(byteLength, most32), at + 18);
  into.writeUInt16LE(name.length, at + 22);
  into.writeUInt16LE(extraBytes, at + 24);
}

function localHeader(entry: Written): Buffer {
  const wide = zip64Field(entry.byteLength >= most32 ? [entry.byteLength, entry.byteLength] : []);
  const before = entry.header + 30 + entry.name.length + wide.length + 4;
  const padding = Buffer.alloc(4 + ((alignment - (before % alignment)) % alignment));
  padding.write('FB', 'latin1'); // the identifier PyTorch gives its padding
  padding.writeUInt16LE(padding.length - 4, 2);
  const fixed = Buffer.alloc(30);
  fixed.writeUInt32LE(0x04034b50, 0);
  shared(fixed, 4, entry, wide.length + padding.length);
  return Buffer.concat([fixed, entry.name, wide, padding]);
}

async function writePart(writer: FileWriter, { name, byteLength, pieces }: Part): Promise<Written> {
  const entry: Written = { name: Buffer.from(name), byteLength, crc: 0, header: writer.position };
  await writer.write(localHeader(entry));
  for (const piece of pieces()) {
    entry.crc = crc32(piece, entry.crc);
    await writer.write(piece);
  }
  await writer.rewrite(localHeader(entry), entry.header); // now with the checksum
  return entry;
}

function directoryRecord(entry: Written): Buffer {
  const { name, byteLength, header } = entry;
  const wide = zip64Field([
    ...(byteLength >= most32 ? [byteLength, byteLength] : []),
    ...(header >= most32 ? [header] : []),
  ]);
  const fixed = Buffer.alloc(46);
  fixed.writeUInt32LE(0x02014b50, 0);
  fixed.writeUInt16LE(version, 4);
  shared(fixed, 6, entry, wide.length);
  fixed.writeUInt32LE(Math.min(header, most32), 42);
  return Buffer.concat([fixed, name, wide]);
}

async function writeDirectory(writer: FileWriter, entries: readonly Written[]): Promise<void> {
  const offset = writer.position;
  const directory = Buffer.concat(entries.map(directoryRecord));
  await writer.write(directory);
  const count = entries.length;
  if (count >= 0xffff || offset >= most32) {
    const end = Buffer.alloc(76);
    end.writeUInt32LE(0x06064b50, 0);
    end.writeBigUInt64LE(44n, 4);
    end.writeUInt16LE(version, 12);
    end.writeUInt16LE(version, 14);
    end.writeBigUInt64LE(BigInt(count), 24);
    end.writeBigUInt64LE(BigInt(count), 32);
    end.writeBigUInt64LE(BigInt(directory.length), 40);
    end.writeBigUInt64LE(BigInt(offset), 48);
    end.writeUInt32LE(0x07064b50, 56);
    end.writeBigUInt64LE(BigInt(writer.position), 64);
    end.writeUInt32LE(1, 72);
    await writer.write(end);
  }
  const tail = Buffer.alloc(22);
  tail.writeUInt32LE(0x06054b50, 0);
  tail.writeUInt16LE(Math.min(count, 0xffff), 8);
  tail.writeUInt16LE(Math.min(count, 0xffff), 10);
  tail.writeUInt32LE(Math.min(directory.length, most32), 12);
  tail.writeUInt32LE(Math.min(offset, most32), 16);
  await writer.write(tail);
}

/**
 * Writes tensors of any device and strides as `torch.save(state_dict)` does. Each gets a storage of
 * its own. The tensors stay the caller's. The same tensors give the same bytes.
 * @throws SaeEvalError `checkpoint-shape` for a dtype without a storage class, `file-unreadable` if
 *   the file cannot be written.
 * @example await writePt('sae.pt', new Map([['encoder.weight', weight]]));
 */
export async function writePt(path: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const described = [...tensors].map(([name, { dtype, shape, numel }], i) => ({
    name,
    dtype,
    shape,
    numel,
    key: String(i),
  }));
  const unknown = described.find(({ dtype }) => storageNames[dtype] === undefined);
  if (unknown !== undefined)
    throw new SaeEvalError(
      'checkpoint-shape',
      `${path}: tensor '${unknown.name}' is ${unknown.dtype}; expected one of ` +
        `${Object.keys(storageNames).join(', ')}.`,
    );
  const whole = (name: string, bytes: Buffer): Part => ({
    name: `archive/${name}`,
    byteLength: bytes.length,
    pieces: () => [bytes],
  });
  const storages = [...tensors.values()].map((tensor, i): Part => ({
    name: `archive/data/${i}`,
    byteLength: tensor.numel * itemBytes[tensor.dtype],
    pieces: () => tensorPieces(tensor),
  }));
  const parts = [
    whole('data.pkl', stateDictPickle(described)),
    whole('byteorder', Buffer.from('little')),
    ...storages,
    whole('version', Buffer.from('3\n')),
  ];
  await writeAtomically(path, async (writer) => {
    const written: Written[] = [];
    for (const part of parts) written.push(await writePart(writer, part));
    await writeDirectory(writer, written);
  });
}
