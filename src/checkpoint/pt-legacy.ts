/**
 * Reads `.pt` files that torch.save wrote before PyTorch 1.6, or writes with
 * `_use_new_zipfile_serialization=False`: five pickles (magic number, protocol, system, object,
 * storage keys), then for each storage a length of eight bytes and the elements.
 */
import { SaeEvalError } from '../errors.js';
import { itemBytes } from './dtypes.js';
import { entryOf } from './entries.js';
import { FileBytes } from './file-bytes.js';
import { PickleTruncated } from './pickle-bytes.js';
import { PickleDict } from './pickle-values.js';
import { PickleReader } from './pickle.js';
import type { Checkpoint } from './read.js';
import { checkpointOf } from './state-dict.js';
import { StorageRef, storageFromId, torchGlobals } from './torch-globals.js';

const magic = 0x1950a86a20f9469cfc6cn;

/** Whether a file may be one, by its first bytes: protocols 0 and 1 write the number as text. */
export const looksLikePtLegacy = (first: Uint8Array): boolean =>
  first[0] === 0x80 || Buffer.from(first).toString('latin1').startsWith(`L${magic}`.slice(0, 16));

/** Bytes read at first, and at most. Only reading the pickles tells where they end. */
const firstBytes = 2 ** 18;
const mostBytes = 64 * 2 ** 20;

interface Pickles {
  root: unknown;
  keys: string[];
  storages: Map<string, StorageRef>;
  /** Offset of the first storage. */
  end: number;
  /** Name of the first global that is not known. */
  unknown: string | null;
}

function readPickles(path: string, bytes: Uint8Array): Pickles {
  const bad = (what: string): SaeEvalError =>
    new SaeEvalError('checkpoint-format', `${path}: ${what}`);
  const storages = new Map<string, StorageRef>();
  const reader = new PickleReader(bytes, {
    file: path,
    global: torchGlobals(path),
    persistent: (id) => {
      const storage = storageFromId(path, id);
      if (storage instanceof StorageRef) storages.set(storage.key, storage);
      return storage;
    },
  });
  if (reader.read() !== magic)
    throw bad(
      'expected a .pt file of torch.save, found another pickle. Save ' +
        'torch.save(model.state_dict(), path).',
    );
  reader.read(); // protocol version
  const system = reader.read();
  if (system instanceof PickleDict && system.entries.get('little_endian') === false) {
    throw bad('written on a big-endian machine; save it again on a little-endian one.');
  }
  const root = reader.read();
  const keys = reader.read();
  if (!Array.isArray(keys) || !keys.every((key): key is string => typeof key === 'string'))
    throw bad(
      'expected a list of storages after the object, found something else. The file is damaged.',
    );
  return { root, keys, storages, end: reader.position, unknown: reader.unknown };
}

/** Reads the pickles from the beginning of the file, in growing pieces until they are complete. */
function readHead(file: FileBytes): Pickles {
  for (let count = firstBytes; ; count *= 4) {
    const wanted = Math.min(count, file.size, mostBytes);
    try {
      return readPickles(file.path, file.read(0, wanted));
    } catch (error) {
      if (!(error instanceof PickleTruncated) || wanted === file.size || wanted === mostBytes)
        throw error;
    }
  }
}

/**
 * Entries of a legacy `.pt` file.
 * @throws SaeEvalError `checkpoint-format`, `checkpoint-forbidden`, `checkpoint-module`.
 */
export function readPtLegacy(path: string): Checkpoint {
  return FileBytes.with(path, (file) => {
    const bad = (what: string): SaeEvalError =>
      new SaeEvalError('checkpoint-format', `${path}: ${what}. The file is truncated or damaged.`);
    const { root, keys, storages, end, unknown } = readHead(file);
    const places = new Map<string, { byteOffset: number; byteLength: number }>();
    let at = end;
    for (const key of keys) {
      const storage = storages.get(key);
      if (storage === undefined) throw bad(`storage '${key.slice(0, 60)}' belongs to no tensor`);
      const numel = file.read(at, 8).readBigInt64LE();
      if (numel !== BigInt(storage.numel))
        throw bad(
          `storage '${key.slice(0, 60)}' is said to have ${storage.numel} elements, found ${numel}`,
        );
      const byteLength = storage.numel * (storage.dtype === null ? 1 : itemBytes[storage.dtype]);
      if (at + 8 + byteLength > file.size)
        throw bad(
          `storage '${key.slice(0, 60)}' of ${numel} elements reaches past the end of the file`,
        );
      places.set(key, { byteOffset: at + 8, byteLength });
      at += 8 + byteLength;
    }
    return checkpointOf(root, {
      path,
      format: 'pt-legacy',
      unknown,
      entryOf: (name, tensor) => entryOf(name, tensor, places.get(tensor.storage.key), path),
    });
  });
}
