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

/** Checks every byte before anything is believed. */
function checkSum(file: FileBytes): void {
  const size = checksumAt + noChecksum.length;
  if (file.size < size) throw new DamagedFileError('it is too short');
  const first = file.read(0, size);
  if (first.toString('latin1', 8, checksumAt) !== opening)
    throw new DamagedFileError('it does not begin as such a file does');
  const told = first.toString('latin1', checksumAt);
  first.write(noChecksum, checksumAt);
  const hash = createHash('sha256').update(first);
  for (let at = size; at < file.size; at += pieceBytes)
    hash.update(file.read(at, Math.min(pieceBytes, file.size - at)));
  if (hash.digest('hex') !== told) throw new DamagedFileError('its checksum does not fit');
}

const headerSchema = z.intersection(
  z.object({ __metadata__: z.record(z.string(), z.string()) }),
  z.record(z.string(), z.unknown()),
);
const describedSchema = z.object({
  dtype: z.literal('F64'),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
});

/** The header, as far as it is one. */
function headerIn(file: FileBytes): { header: z.infer<typeof headerSchema>; dataAt: number } {
  const length = Number(file.read(0, 8).readBigUInt64LE());
  if (length > file.size - 8) throw new DamagedFileError('its header is longer than the file');
  try {
    const header = headerSchema.parse(JSON.parse(file.read(8, length).toString('utf8')));
    return { header, dataAt: 8 + length };
  } catch {
    throw new DamagedFileError('its header is not that of a safetensors file');
  }
}

function readArray(file: FileBytes, described: unknown, dataAt: number): NamedArray {
  const parsed = describedSchema.safeParse(described);
  if (!parsed.success) throw new DamagedFileError('its header describes no float64 array');
  const { shape, data_offsets } = parsed.data;
  const [from, to] = data_offsets;
  const values = shape.reduce((product, size) => product * size, 1);
  if (to - from !== 8 * values || dataAt + to > file.size)
    throw new DamagedFileError('an array is not as long as its header says');
  const data = new Float64Array(values);
  const bytes = bytesOf({ shape, data });
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const count = Math.min(pieceBytes, bytes.length - at);
    bytes.set(file.read(dataAt + from + at, count), at);
  }
  return { shape, data };
}

/**
 * Content of such a file. Sizes are checked before memory is allocated.
 * @throws DamagedFileError if a byte is not the one that was written, or it is no such file.
 * @throws Error with Node's code, such as `ENOENT`, if the file cannot be read.
 */
export function readArrayFile(path: string): ArrayFile {
  return FileBytes.with(path, (file) => {
    checkSum(file);
    const { header, dataAt } = headerIn(file);
    const { __metadata__: metadata, ...described } = header;
    const arrays = new Map(
      Object.entries(described).map(([name, one]) => [name, readArray(file, one, dataAt)]),
    );
    return { arrays, metadata };
  });
}
