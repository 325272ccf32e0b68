/**
 * `.pt` files as torch.save wrote them before PyTorch 1.6 (`_use_new_zipfile_serialization=False`): five pickles (magic
 * number, protocol, system, object, storage keys), then each storage as a length of eight bytes and its elements.
 */
import { openSync, closeSync, fstatSync, readSync } from 'node:fs';
import { SaeEvalError } from '../errors.js';
import { entryOf } from './entries.js';
import { PickleDict, PickleReader } from './pickle.js';
import type { Checkpoint } from './read.js';
import { findStateDict } from './state-dict.js';
import { itemBytes, storageFromId, torchGlobals, type StorageRef } from './torch-globals.js';

const magic = 0x1950a86a20f9469cfc6cn;
const mostBytes = 256 * 2 ** 20;

/** The beginning of the file, where the pickles are; storages lie behind and are not read. */
function head(path: string): { bytes: Uint8Array; size: number } {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const bytes = new Uint8Array(Math.min(size, mostBytes));
    let at = 0;
    while (at < bytes.length) {
      const count = readSync(file, bytes, at, bytes.length - at, at);
      if (count === 0) break;
      at += count;
    }
    return { bytes: bytes.subarray(0, at), size };
  } finally {
    closeSync(file);
  }
}

export function readPtLegacy(path: string): Checkpoint {
  const { bytes, size } = head(path);
  const storages = new Map<string, StorageRef>();
  const reader = new PickleReader(bytes, {
    file: path,
    global: torchGlobals(path),
    persistent: (id) => {
      const storage = storageFromId(path, id);
      storages.set(storage.key, storage);
      return storage;
    },
  });
  if (reader.read() !== magic) throw new SaeEvalError('checkpoint-format', `${path}: neither a zip nor a legacy file of torch.save.`);
  reader.read(); // protocol version
  const system = reader.read();
  if (system instanceof PickleDict && system.entries.get('little_endian') === false) {
    throw new SaeEvalError('checkpoint-format', `${path}: written on a big-endian machine; save it again on a little-endian one.`);
  }
  const root = reader.read();
  const keys = reader.read();
  if (!Array.isArray(keys)) throw new SaeEvalError('checkpoint-format', `${path}: no list of storages after the object.`);

  const places = new Map<string, { byteOffset: number; byteLength: number }>();
  let at = reader.position;
  const file = openSync(path, 'r');
  try {
    for (const key of keys.map(String)) {
      const storage = storages.get(key);
      if (storage === undefined) throw new SaeEvalError('checkpoint-format', `${path}: storage '${key}' belongs to no tensor.`);
      const length = Buffer.alloc(8);
      if (readSync(file, length, 0, 8, at) < 8) throw new SaeEvalError('checkpoint-format', `${path}: ends before storage '${key}'.`);
      const numel = length.readBigInt64LE();
      const byteLength = Number(numel) * (storage.dtype === null ? 1 : itemBytes[storage.dtype]);
      if (numel < 0n || at + 8 + byteLength > size) throw new SaeEvalError('checkpoint-format', `${path}: storage '${key}' of ${numel} elements reaches past the end of the file.`);
      places.set(key, { byteOffset: at + 8, byteLength });
      at += 8 + byteLength;
    }
  } finally {
    closeSync(file);
  }
  const { tensors, values, prefix } = findStateDict(root, path);
  return { path, format: 'pt-legacy', entries: new Map([...tensors].map(([name, tensor]) => [name, entryOf(name, tensor, places.get(tensor.storage.key), path)])), values, prefix };
}
