/**
 * Reads safetensors files (github.com/huggingface/safetensors): a JSON header of names, dtypes,
 * shapes and offsets, then the bytes.
 */
import { SaeEvalError } from '../errors.js';
import { viewOfDict } from './contents.js';
import { readSafetensorsDtypes } from './dtypes.js';
import { contiguousStrides, extentBytes, type TensorEntry } from './entries.js';
import { FileBytes } from './file-bytes.js';
import type { OpaqueValue } from './leaves.js';
import type { Checkpoint } from './read.js';

/**
 * Limit on the header. The format allows 100 MB, but parsing JSON takes many times its bytes, and
 * 32 MiB suffice for 300,000 tensors.
 */
const mostHeaderBytes = 32 * 2 ** 20;

interface HeaderEntry {
  dtype?: unknown;
  shape?: unknown;
  data_offsets?: unknown;
}

const whole = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/** Whether a file may be safetensors, by its first bytes. */
export function looksLikeSafetensors(first: Uint8Array, size: number): boolean {
  if (first.length < 9 || first[8] !== 0x7b) return false;
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  // A pickle begins with 0x80 and a small protocol number.
  return length <= BigInt(size) || first[0] !== 0x80;
}

/** Header as JSON, with the offset at which the tensors begin. */
function readHeader(
  path: string,
  bad: (what: string) => SaeEvalError,
): { header: Record<string, HeaderEntry | null>; begin: number; size: number } {
  return FileBytes.with(path, (file) => {
    const length = file.read(0, 8).readBigUInt64LE();
    if (length > BigInt(mostHeaderBytes) || length + 8n > BigInt(file.size))
      throw bad(`a header of ${length} bytes in a file of ${file.size}`);
    let header: unknown;
    try {
      header = JSON.parse(file.read(8, Number(length)).toString('utf8'));
    } catch (error) {
      throw error instanceof SaeEvalError ? error : bad('its header is not JSON');
    }
    if (typeof header !== 'object' || header === null || Array.isArray(header))
      throw bad('its header is not an object');
    return {
      header: header as Record<string, HeaderEntry | null>,
      begin: 8 + Number(length),
      size: file.size,
    };
  });
}

/** Bytes of a tensor, from the beginning of the file. */
interface Range {
  name: string;
  from: number;
  to: number;
}

/** Refuses gaps and overlaps: the tensors must cover the rest of the file. */
function checkCover(
  ranges: readonly Range[],
  begin: number,
  size: number,
  bad: (what: string) => SaeEvalError,
): void {
  let end = begin;
  for (const { name, from, to } of [...ranges].sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end)
      throw bad(
        `tensor '${name}' begins at ${from} where ${end} was expected (a gap or an overlap)`,
      );
    end = to;
  }
  if (end !== size) throw bad(`its tensors end at ${end}, the file at ${size}`);
}

/** Entries of a safetensors file. @throws SaeEvalError `checkpoint-format`. */
export function readSafetensors(path: string): Checkpoint {
  const bad = (what: string): SaeEvalError =>
    new SaeEvalError('checkpoint-format', `${path}: damaged safetensors file: ${what}.`);
  const { header, begin, size } = readHeader(path, bad);
  const entries = new Map<string, TensorEntry>();
  const values = new Map<string, unknown>();
  const opaque = new Map<string, OpaqueValue>();
  const ranges: Range[] = [];
  for (const [name, item] of Object.entries(header)) {
    if (typeof item !== 'object' || item === null)
      throw bad(`'${name.slice(0, 200)}' is not described`);
    if (name === '__metadata__') {
      for (const [key, value] of Object.entries(item))
        if (typeof value === 'string') values.set(key, value);
      continue;
    }
    const { dtype: code, shape, data_offsets: offsets } = item;
    const shown = `tensor '${name.slice(0, 200)}'`;
    if (typeof code !== 'string' || !/^[A-Z][A-Z0-9_]{0,19}$/.test(code))
      throw bad(`${shown} has no dtype`);
    if (!Array.isArray(shape) || shape.length > 64 || !shape.every(whole))
      throw bad(`${shown} has no shape of whole numbers`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole))
      throw bad(`${shown} has no data_offsets`);
    const [from, to] = offsets as [number, number];
    if (to > size - begin) throw bad(`${shown} reaches past the end of the file`);
    if (to < from) throw bad(`${shown} ends before it begins`);
    ranges.push({ name, from: begin + from, to: begin + to });
    if (!Object.hasOwn(readSafetensorsDtypes, code)) {
      // Formats of less than a byte, and those that are yet to come.
      const what = `a tensor of dtype ${code}`;
      opaque.set(name, { what, shape, isTensor: true, isModule: false, holdsTensors: false });
      continue;
    }
    const dtype = readSafetensorsDtypes[code]!;
    const strides = contiguousStrides(shape);
    const bytes = extentBytes(shape, strides, dtype);
    if (bytes !== to - from || !strides.every(Number.isSafeInteger))
      throw bad(
        `${shown} of shape [${shape.join(', ')}] needs ${bytes} bytes, its data_offsets ` +
          `give ${to - from}`,
      );
    entries.set(name, {
      name,
      dtype,
      shape,
      strides,
      byteOffset: begin + from,
      storage: { byteOffset: begin + from, byteLength: bytes },
    });
  }
  checkCover(ranges, begin, size, bad);
  return viewOfDict({ path, format: 'safetensors', tensors: entries, values, opaque }, '');
}
