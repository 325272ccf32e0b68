/**
 * Named float64 arrays in a safetensors file that carries a checksum of itself. The file appears in
 * one step, and is written and read array by array, so that it may be larger than memory has room
 * for twice.
 *
 * The checksum is SHA-256 of the whole file with zeros in its own place, the first entry of
 * `__metadata__`.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { FileBytes } from '../../checkpoint/file-bytes.js';

export interface NamedArray {
  shape: readonly number[];
  data: Float64Array;
}

export interface ArrayFile {
  arrays: ReadonlyMap<string, NamedArray>;
  /** Texts of the header. */
  metadata: Readonly<Record<string, string>>;
}

/** The file is not what was written. */
export class DamagedFileError extends Error {}

const opening = '{"__metadata__":{"sha256":"';
const checksumAt = 8 + opening.length;
const noChecksum = '0'.repeat(64);
const pieceBytes = 2 ** 24;

const bytesOf = ({ data }: NamedArray): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function headerOf({ arrays, metadata }: ArrayFile): Buffer {
  let at = 0;
  const described = [...arrays].map(([name, { shape, data }]) => {
    const from = at;
    at += data.byteLength;
    return [name, { dtype: 'F64', shape, data_offsets: [from, at] }] as const;
  });
  const json = Buffer.from(
    JSON.stringify({
      __metadata__: { sha256: noChecksum, ...metadata },
      ...Object.fromEntries(described),
    }),
  );
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  header.writeBigUInt64LE(BigInt(header.length - 8));
  json.copy(header, 8);
  return header;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;)
    written += writeSync(file, bytes, written, Math.min(pieceBytes, bytes.length - written));
}

/**
 * Writes the file beside `path` and renames it: a crash leaves the file before or this one.
 * @param options.mode rights of the file; default its owner's alone.
 */
export function writeArrayFile(
  path: string,
  content: ArrayFile,
  { mode = 0o600 }: { mode?: number } = {},
): void {
  const header = headerOf(content);
  const hash = createHash('sha256').update(header);
  for (const array of content.arrays.values()) hash.update(bytesOf(array));
  header.write(hash.digest('hex'), checksumAt);
  const part = `${path}.part`;
  try {
    const file = openSync(part, 'w', mode);
    try {
      writeAll(file, header);
      for (const array of content.arrays.values()) writeAll(file, bytesOf(array));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(part, path);
  } catch (thrown) {
    // Half a file would take the room that is missing.
    rmSync(part, { force: true });
    throw thrown;
  }
}

/** Bytes of a file, of which a small one is read once. */
type ReadBytes = (byteOffset: number, byteLength: number) => Buffer;

/** Size up to which a file is read in one piece. */
const smallFile = 2 ** 26;

function reader(file: FileBytes): ReadBytes {
  if (file.size > smallFile) return (at, length) => file.read(at, length);
  const all = file.read(0, file.size);
  return (at, length) => all.subarray(at, at + length);
}

/** Checks every byte before anything is believed. */
function checkSum(size: number, read: ReadBytes): void {
  const checked = checksumAt + noChecksum.length;
  if (size < checked) throw new DamagedFileError('it is too short');
  const first = Buffer.from(read(0, checked));
  if (first.toString('latin1', 8, checksumAt) !== opening)
    throw new DamagedFileError('it does not begin as such a file does');
  const told = first.toString('latin1', checksumAt);
  first.write(noChecksum, checksumAt);
  const hash = createHash('sha256').update(first);
  for (let at = checked; at < size; at += pieceBytes)
    hash.update(read(at, Math.min(pieceBytes, size - at)));
  if (hash.digest('hex') !== told) throw new DamagedFileError('its checksum does not fit');
}

const headerSchema = z.looseObject({ __metadata__: z.record(z.string(), z.string()) });
const describedSchema = z.object({
  dtype: z.literal('F64'),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
});

/** The header, as far as it is one. */
function headerIn(
  size: number,
  read: ReadBytes,
): { header: z.infer<typeof headerSchema>; dataAt: number } {
  const length = Number(read(0, 8).readBigUInt64LE());
  if (length > size - 8) throw new DamagedFileError('its header is longer than the file');
  try {
    const header = headerSchema.parse(JSON.parse(read(8, length).toString('utf8')));
    return { header, dataAt: 8 + length };
  } catch {
    throw new DamagedFileError('its header is not that of a safetensors file');
  }
}

interface Content {
  size: number;
  read: ReadBytes;
  /** Place of the first array. */
  dataAt: number;
}

function readArray(described: unknown, { size, read, dataAt }: Content): NamedArray {
  const parsed = describedSchema.safeParse(described);
  if (!parsed.success) throw new DamagedFileError('its header describes no float64 array');
  const { shape, data_offsets } = parsed.data;
  const [from, to] = data_offsets;
  const values = shape.reduce((product, length) => product * length, 1);
  if (to - from !== 8 * values || dataAt + to > size)
    throw new DamagedFileError('an array is not as long as its header says');
  if (to - from <= pieceBytes) {
    const { buffer, byteOffset } = read(dataAt + from, to - from);
    if (byteOffset % 8 === 0 && buffer instanceof ArrayBuffer)
      return { shape, data: new Float64Array(buffer, byteOffset, values) };
  }
  const data = new Float64Array(values);
  const bytes = bytesOf({ shape, data });
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const count = Math.min(pieceBytes, bytes.length - at);
    bytes.set(read(dataAt + from + at, count), at);
  }
  return { shape, data };
}

/**
 * Content of such a file. Sizes are checked before memory is allocated.
 * @throws DamagedFileError if a byte is not the one that was written, or it is no such file.
 * @throws Error with Node's code, such as `ENOENT`, if the file cannot be read.
 */
export function readArrayFile(path: string): ArrayFile {
  return FileBytes.withOwn(path, (file) => {
    const { size } = file;
    const read = reader(file);
    checkSum(size, read);
    const { header, dataAt } = headerIn(size, read);
    const { __metadata__: metadata, ...described } = header;
    const arrays = new Map(
      Object.entries(described).map(([name, one]) => [
        name,
        readArray(one, { size, read, dataAt }),
      ]),
    );
    return { arrays, metadata };
  });
}
