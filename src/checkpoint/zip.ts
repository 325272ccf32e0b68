/**
 * Reads the directory of a zip file, with the offsets of its entries' bytes (APPNOTE 6.3.10, zip64
 * included). Nothing is decompressed.
 *
 * This is a reader of our own because tensors are mapped from these offsets and no field can be
 * trusted. yauzl 3.4 ends the process on a directory offset beyond 2^53 (it passes the offset to
 * `fs.read` inside a callback), reads each entry twice, and does not tell where its bytes begin.
 */
import { SaeEvalError } from '../errors.js';
import type { FileBytes } from './file-bytes.js';

export interface ZipEntry {
  /** Offset of the entry's bytes, from the beginning of the file. */
  byteOffset: number;
  /** Number of the bytes in the file. */
  byteLength: number;
  /** 0: stored, 8: deflated. Other methods are refused. */
  method: 0 | 8;
  /** Number of the inflated bytes according to the directory. */
  inflatedLength: number;
}

interface Record {
  name: Buffer;
  method: number;
  encrypted: boolean;
  compressed: number;
  uncompressed: number;
  header: number;
}

const mostEntries = 200_000;
const mostDirectoryBytes = 64 * 2 ** 20;
const endBytes = 22;
const zip64LocatorBytes = 20;
const zip64EndBytes = 56;
const mostCommentBytes = 0xffff;
const recordBytes = 46;
const localBytes = 30;
/** Value of a 32-bit field that refers to the zip64 extra field. */
const elsewhere = 0xffffffff;

type Fail = (what: string) => never;

/** 64-bit field. Values beyond 2^53 are refused, so that all arithmetic with it is exact. */
function u64(bytes: Buffer, at: number, fail: Fail): number {
  const value = bytes.readBigUInt64LE(at);
  return value > BigInt(Number.MAX_SAFE_INTEGER)
    ? fail(`an offset or size of ${value}`)
    : Number(value);
}

/** Range of the directory, and the number of entries according to its end record. */
function findDirectory(
  file: FileBytes,
  fail: Fail,
): { offset: number; byteLength: number; count: number; end: number } {
  const tailStart = Math.max(0, file.size - endBytes - mostCommentBytes - zip64LocatorBytes);
  const tail = file.read(tailStart, file.size - tailStart);
  let at = tail.length - endBytes;
  while (
    at >= 0 &&
    !(
      tail.readUInt32LE(at) === 0x06054b50 &&
      tail.readUInt16LE(at + 20) === tail.length - endBytes - at
    )
  )
    at -= 1;
  if (at < 0) fail('it has no directory at its end; it is truncated');
  const locator = at - zip64LocatorBytes;
  if (locator >= 0 && tail.readUInt32LE(locator) === 0x07064b50) {
    const end = u64(tail, locator + 8, fail);
    if (end + zip64EndBytes > tailStart + locator) fail('its zip64 directory lies past the end');
    const record = file.read(end, zip64EndBytes);
    if (record.readUInt32LE(0) !== 0x06064b50) fail('its zip64 directory is not where it says');
    return {
      count: u64(record, 32, fail),
      byteLength: u64(record, 40, fail),
      offset: u64(record, 48, fail),
      end,
    };
  }
  return {
    count: tail.readUInt16LE(at + 10),
    byteLength: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
    end: tailStart + at,
  };
}

/** Replaces the 32-bit fields that refer to the zip64 extra field by its values. */
function widen(record: Record, extra: Buffer, fail: Fail): void {
  if (
    record.uncompressed !== elsewhere &&
    record.compressed !== elsewhere &&
    record.header !== elsewhere
  )
    return;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const field = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    let from = 0;
    const next = (value: number): number => {
      if (value !== elsewhere) return value;
      if (from + 8 > field.length) fail('a zip64 field is too short');
      from += 8;
      return u64(field, from - 8, fail);
    };
    record.uncompressed = next(record.uncompressed);
    record.compressed = next(record.compressed);
    record.header = next(record.header);
    return;
  }
}

function recordsOf(directory: Buffer, count: number, fail: Fail): Record[] {
  const records: Record[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + recordBytes > directory.length || directory.readUInt32LE(at) !== 0x02014b50)
      fail(`entry ${i} of ${count} is not in its directory`);
    const nameBytes = directory.readUInt16LE(at + 28);
    const extraBytes = directory.readUInt16LE(at + 30);
    const next = at + recordBytes + nameBytes + extraBytes + directory.readUInt16LE(at + 32);
    if (next > directory.length) fail(`entry ${i} reaches past its directory`);
    const record: Record = {
      name: directory.subarray(at + recordBytes, at + recordBytes + nameBytes),
      encrypted: (directory.readUInt16LE(at + 8) & 0x41) !== 0,
      method: directory.readUInt16LE(at + 10),
      compressed: directory.readUInt32LE(at + 20),
      uncompressed: directory.readUInt32LE(at + 24),
      header: directory.readUInt32LE(at + 42),
    };
    widen(
      record,
      directory.subarray(at + recordBytes + nameBytes, at + recordBytes + nameBytes + extraBytes),
      fail,
    );
    records.push(record);
    at = next;
  }
  return records;
}

/**
 * Entries by name. Each entry is checked: it lies before the directory, it overlaps no other, and
 * the header in front of its bytes has the same name.
 * @throws SaeEvalError `checkpoint-format`.
 */
export function readZipDirectory(file: FileBytes): Map<string, ZipEntry> {
  const fail: Fail = (what) => {
    throw new SaeEvalError(
      'checkpoint-format',
      `${file.path}: not a zip file that torch.save writes, or a damaged one: ${what}.`,
    );
  };
  const { offset, byteLength, count, end } = findDirectory(file, fail);
  if (count > mostEntries || byteLength > mostDirectoryBytes)
    fail(`a directory of ${count} entries and ${byteLength} bytes`);
  if (offset + byteLength > end) fail('its directory reaches past its end');
  const found = new Map<string, ZipEntry>();
  const taken: { from: number; to: number; name: string }[] = [];
  for (const { name: rawName, encrypted, method, compressed, uncompressed, header } of recordsOf(
    file.read(offset, byteLength),
    count,
    fail,
  )) {
    const name = rawName.toString('utf8');
    const shown = JSON.stringify(name.slice(0, 200));
    if (encrypted) fail(`entry ${shown} is encrypted`);
    if (method !== 0 && method !== 8) fail(`entry ${shown} is compressed by method ${method}`);
    if (method === 0 && compressed !== uncompressed)
      fail(`entry ${shown} lies about its size (${compressed} and ${uncompressed} bytes)`);
    if (found.has(name)) fail(`entry ${shown} is there twice`);
    if (header + localBytes + rawName.length > offset)
      fail(`entry ${shown} has its header past the end`);
    const local = file.read(header, localBytes + rawName.length);
    if (
      local.readUInt32LE(0) !== 0x04034b50 ||
      local.readUInt16LE(26) !== rawName.length ||
      !local.subarray(localBytes).equals(rawName)
    ) {
      fail(`entry ${shown} is not where the directory says`);
    }
    const byteOffset = header + localBytes + rawName.length + local.readUInt16LE(28);
    if (byteOffset + compressed > offset)
      fail(`entry ${shown} of ${compressed} bytes reaches past the end`);
    taken.push({ from: header, to: byteOffset + compressed, name: shown });
    if (!name.endsWith('/'))
      found.set(name, { byteOffset, byteLength: compressed, method, inflatedLength: uncompressed });
  }
  taken.sort((a, b) => a.from - b.from);
  for (let i = 1; i < taken.length; i++) {
    if (taken[i]!.from < taken[i - 1]!.to)
      fail(`entries ${taken[i - 1]!.name} and ${taken[i]!.name} overlap`);
  }
  return found;
}
