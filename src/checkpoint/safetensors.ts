/** Safetensors files: a JSON header of names, dtypes, shapes and offsets, then the bytes. */
import { openSync, closeSync, fstatSync, readSync } from 'node:fs';
import { SaeEvalError } from '../errors.js';
import type { DType } from '../torch/tensor.js';
import { contiguousStrides, extentBytes, type TensorEntry } from './entries.js';
import type { Checkpoint } from './read.js';

const dtypes: Record<string, DType> = {
  F64: 'float64', F32: 'float32', F16: 'float16', BF16: 'bfloat16', I64: 'int64', I32: 'int32', I16: 'int16', I8: 'int8', U8: 'uint8', BOOL: 'bool',
};
/** The format's own limit. */
const mostHeaderBytes = 100 * 2 ** 20;

interface HeaderEntry {
  dtype?: unknown;
  shape?: unknown;
  data_offsets?: unknown;
}

const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Whether a file may be safetensors, by its first bytes. */
export function looksLikeSafetensors(first: Uint8Array, size: number): boolean {
  if (first.length < 9 || first[8] !== 0x7b) return false;
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  return length <= BigInt(mostHeaderBytes) && length + 8n <= BigInt(size);
}

export function readSafetensors(path: string): Checkpoint {
  const bad = (what: string): SaeEvalError => new SaeEvalError('checkpoint-format', `${path}: damaged safetensors file: ${what}.`);
  const file = openSync(path, 'r');
  let header: unknown;
  let begin: number;
  let size: number;
  try {
    size = fstatSync(file).size;
    const prefix = Buffer.alloc(8);
    if (readSync(file, prefix, 0, 8, 0) < 8) throw bad('it ends in its first eight bytes');
    const length = prefix.readBigUInt64LE();
    if (length > BigInt(mostHeaderBytes) || length + 8n > BigInt(size)) throw bad(`a header of ${length} bytes in a file of ${size}`);
    const bytes = Buffer.alloc(Number(length));
    if (readSync(file, bytes, 0, bytes.length, 8) < bytes.length) throw bad('it ends in its header');
    begin = 8 + bytes.length;
    try {
      header = JSON.parse(bytes.toString('utf8'));
    } catch {
      throw bad('its header is not JSON');
    }
  } finally {
    closeSync(file);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw bad('its header is not an object');
  const entries = new Map<string, TensorEntry>();
  const values = new Map<string, unknown>();
  for (const [name, item] of Object.entries(header as Record<string, HeaderEntry | null>)) {
    if (name === '__metadata__') {
      for (const [key, value] of Object.entries(item ?? {})) values.set(key, value);
      continue;
    }
    const { dtype: code, shape, data_offsets: offsets } = item ?? {};
    const dtype = typeof code === 'string' && Object.hasOwn(dtypes, code) ? dtypes[code]! : undefined;
    if (dtype === undefined) throw bad(`tensor '${name}' has dtype ${String(code)}`);
    if (!Array.isArray(shape) || shape.length > 64 || !shape.every(whole)) throw bad(`tensor '${name}' has no shape`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole) || offsets[1]! < offsets[0]!) throw bad(`tensor '${name}' has no offsets`);
    const [from, to] = offsets as [number, number];
    const strides = contiguousStrides(shape);
    const bytes = extentBytes(shape, strides, dtype);
    if (bytes !== to - from) throw bad(`tensor '${name}' of shape [${shape.join(', ')}] needs ${bytes} bytes, its offsets give ${to - from}`);
    if (begin + to > size) throw bad(`tensor '${name}' reaches past the end of the file`);
    entries.set(name, { name, dtype, shape, strides, byteOffset: begin + from, storage: { byteOffset: begin + from, byteLength: bytes } });
  }
  return { path, format: 'safetensors', entries, values, prefix: '' };
}
