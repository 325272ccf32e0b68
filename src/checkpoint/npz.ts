/**
 * Reads `.npz` files (numpy.savez and savez_compressed): a zip of `.npy` arrays (numpy's format
 * versions 1 to 3). Stored arrays are mapped. Deflated arrays are inflated when they are opened, to
 * the size that their headers give and no further.
 */
import { constants, inflateRawSync } from 'node:zlib';
import { SaeEvalError } from '../errors.js';
import { viewOfDict } from './contents.js';
import { numpyDtypes } from './dtypes.js';
import { contiguousStrides, extentBytes, type TensorEntry } from './entries.js';
import { FileBytes } from './file-bytes.js';
import type { OpaqueValue } from './leaves.js';
import type { Checkpoint } from './read.js';
import { readZipDirectory, type ZipEntry } from './zip.js';

/** Bytes that are read of an array for its header. numpy's headers have 128. */
const headBytes = 4096;
/**
 * Limit on the inflated arrays of a file: this factor on its size, and a constant. Weights hardly
 * shrink, but deflate could make 1032 bytes of one.
 */
const mostInflation = 16;
const alwaysAllowed = 2 ** 20;

type Fail = (what: string) => never;

function firstBytes(
  file: FileBytes,
  { byteOffset, byteLength, method }: ZipEntry,
  fail: Fail,
): Buffer {
  const bytes = file.read(byteOffset, Math.min(byteLength, headBytes));
  if (method === 0) return bytes;
  try {
    return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return fail('cannot be inflated');
  }
}

/**
 * Reads the header's Python literal, such as
 * `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
 */
function parseHeader(
  bytes: Buffer,
  fail: Fail,
): { descr: string; shape: number[]; fortran: boolean; dataAt: number } {
  if (bytes.length < 12 || bytes.toString('latin1', 0, 6) !== '\x93NUMPY')
    fail('is not a numpy array');
  const wide = bytes[6]! >= 2;
  const dataAt = wide ? 12 + bytes.readUInt32LE(8) : 10 + bytes.readUInt16LE(8);
  if (dataAt > bytes.length || dataAt > headBytes) fail(`has a header of ${dataAt} bytes`);
  const text = bytes.toString('latin1', wide ? 12 : 10, dataAt);
  // Records have a list of fields.
  const descr = /'descr': (?:'([^']{1,16})'|\[)/.exec(text);
  const fortran = /'fortran_order': (True|False)/.exec(text)?.[1];
  const sizes = /'shape': \(([\d, ]{0,200})\)/.exec(text)?.[1];
  if (descr === null || fortran === undefined || sizes === undefined)
    fail('has a header without dtype, order or shape');
  const shape = sizes
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map(Number);
  if (!shape.every(Number.isSafeInteger)) fail('has a shape beyond 2^53');
  return { descr: descr[1] ?? 'records', shape, fortran: fortran === 'True', dataAt };
}

/** What an array is that cannot be mapped: texts, records, objects, numbers of other CPUs. */
function unreadable(descr: string): string {
  if (descr.includes('O')) return 'an array of Python objects, which only a pickle can make';
  return `an array of dtype ${descr.replace(/[^\w<>|=]/g, '?')}`;
}

function entryOfArray(
  file: FileBytes,
  zipName: string,
  place: ZipEntry,
): { entry: TensorEntry } | { opaque: OpaqueValue } {
  const fail: Fail = (what) => {
    throw new SaeEvalError(
      'checkpoint-format',
      `${file.path}: '${zipName.slice(0, 200)}' ${what}. The file is damaged or not an .npz file.`,
    );
  };
  const { descr, shape, fortran, dataAt } = parseHeader(firstBytes(file, place, fail), fail);
  if (!Object.hasOwn(numpyDtypes, descr)) {
    const what = unreadable(descr);
    return { opaque: { what, shape, isTensor: true, isModule: false, holdsTensors: false } };
  }
  const dtype = numpyDtypes[descr]!;
  const strides = fortran
    ? contiguousStrides([...shape].reverse()).reverse()
    : contiguousStrides(shape);
  const bytes = extentBytes(shape, strides, dtype);
  if (!strides.every(Number.isSafeInteger) || dataAt + bytes !== place.inflatedLength)
    fail(
      `of shape [${shape.join(', ')}] needs ${dataAt + bytes} bytes, found ${place.inflatedLength}`,
    );
  const name = zipName.slice(0, -'.npy'.length);
  const stored = place.method === 0;
  const entry: TensorEntry = {
    name,
    dtype,
    shape,
    strides,
    byteOffset: stored ? place.byteOffset + dataAt : dataAt,
    storage: stored
      ? { byteOffset: place.byteOffset + dataAt, byteLength: bytes }
      : { byteOffset: dataAt, byteLength: bytes },
    ...(stored
      ? {}
      : {
          deflated: {
            byteOffset: place.byteOffset,
            byteLength: place.byteLength,
            inflatedLength: place.inflatedLength,
          },
        }),
  };
  return { entry };
}

/** Whether a zip holds numpy arrays and nothing else. */
export function looksLikeNpz(directory: ReadonlyMap<string, unknown>): boolean {
  return directory.size > 0 && [...directory.keys()].every((name) => name.endsWith('.npy'));
}

/**
 * Entries of an `.npz` file.
 * @throws SaeEvalError `checkpoint-format`; `checkpoint-forbidden` for arrays of Python objects.
 */
export function readNpz(path: string): Checkpoint {
  return FileBytes.with(path, (file) => {
    const directory = readZipDirectory(file);
    const inflated = [...directory.values()].reduce(
      (sum, { method, inflatedLength }) => sum + (method === 0 ? 0 : inflatedLength),
      0,
    );
    if (inflated > mostInflation * file.size + alwaysAllowed)
      throw new SaeEvalError(
        'checkpoint-format',
        `${path}: says that its ${file.size} bytes inflate to ${inflated}, more than ` +
          'weights can. Save it with numpy.savez, uncompressed.',
      );
    const tensors = new Map<string, TensorEntry>();
    const opaque = new Map<string, OpaqueValue>();
    for (const [zipName, place] of directory) {
      const array = entryOfArray(file, zipName, place);
      if ('entry' in array) tensors.set(array.entry.name, array.entry);
      else opaque.set(zipName.slice(0, -'.npy'.length), array.opaque);
    }
    if (tensors.size === 0) {
      const [name, { what }] = [...opaque][0]!;
      throw new SaeEvalError(
        what.includes('Python objects') ? 'checkpoint-forbidden' : 'checkpoint-format',
        `${path}: '${name.slice(0, 200)}' is ${what}. Nothing was run. Save numbers only.`,
      );
    }
    return viewOfDict({ path, format: 'npz', tensors, values: new Map(), opaque }, '');
  });
}

/**
 * Bytes of a deflated array, in the order that its strides describe.
 * @throws SaeEvalError `checkpoint-format`.
 */
export function inflateEntry(
  path: string,
  { name, byteOffset, storage, deflated }: TensorEntry,
): Uint8Array {
  if (deflated === undefined)
    throw new SaeEvalError('internal', `${path}: '${name}' is not deflated.`);
  return FileBytes.with(path, (file) => {
    let bytes: Buffer | null = null;
    try {
      bytes = inflateRawSync(file.read(deflated.byteOffset, deflated.byteLength), {
        maxOutputLength: deflated.inflatedLength,
      });
    } catch (error) {
      if (error instanceof SaeEvalError) throw error;
    }
    if (bytes?.length !== deflated.inflatedLength)
      throw new SaeEvalError(
        'checkpoint-format',
        `${path}: '${name}' does not inflate to the ${deflated.inflatedLength} bytes its ` +
          'directory gives.',
      );
    return bytes.subarray(byteOffset, byteOffset + storage.byteLength);
  });
}
