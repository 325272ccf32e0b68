/** `.pt` files as torch.save has written them since PyTorch 1.6: a zip of a pickle and its storages. */
import { openSync, closeSync, readSync } from 'node:fs';
import { SaeEvalError } from '../errors.js';
import { entryOf } from './entries.js';
import { PickleReader } from './pickle.js';
import type { Checkpoint } from './read.js';
import { findStateDict } from './state-dict.js';
import { storageFromId, torchGlobals } from './torch-globals.js';
import { readZipDirectory, type ZipEntry } from './zip.js';

/** A state dict's pickle is small; this bounds what is read of a file that says otherwise. */
const mostPickleBytes = 256 * 2 ** 20;

function bytesOf(path: string, { byteOffset, byteLength }: ZipEntry): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(byteLength);
    for (let at = 0; at < byteLength; ) {
      const count = readSync(file, bytes, at, byteLength - at, byteOffset + at);
      if (count === 0) throw new SaeEvalError('checkpoint-format', `${path}: ends in the middle of an entry.`);
      at += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

export async function readPtZip(path: string): Promise<Checkpoint> {
  const directory = await readZipDirectory(path);
  const pickleName = [...directory.keys()].find((name) => name.endsWith('/data.pkl') || name === 'data.pkl');
  if (pickleName === undefined) {
    throw new SaeEvalError('checkpoint-format', `${path}: a zip without data.pkl, so not a file of torch.save; it holds ${[...directory.keys()].slice(0, 5).map((name) => `'${name}'`).join(', ') || 'nothing'}.`);
  }
  const folder = pickleName.slice(0, -'data.pkl'.length);
  if (directory.has(`${folder}constants.pkl`)) {
    throw new SaeEvalError('checkpoint-module', `${path}: a TorchScript module; expected a state_dict. Save torch.save(model.state_dict(), path).`);
  }
  const order = directory.get(`${folder}byteorder`);
  if (order !== undefined && order.byteLength < 16 && new TextDecoder().decode(bytesOf(path, order)).trim() === 'big') {
    throw new SaeEvalError('checkpoint-format', `${path}: written on a big-endian machine; save it again on a little-endian one.`);
  }
  const pickle = directory.get(pickleName)!;
  if (pickle.byteLength > mostPickleBytes) throw new SaeEvalError('checkpoint-format', `${path}: its pickle of ${pickle.byteLength} bytes is no state_dict's.`);
  const reader = new PickleReader(bytesOf(path, pickle), { file: path, global: torchGlobals(path), persistent: (id) => storageFromId(path, id) });
  const { tensors, values, prefix } = findStateDict(reader.read(), path);
  const entries = new Map([...tensors].map(([name, tensor]) => [name, entryOf(name, tensor, directory.get(`${folder}data/${tensor.storage.key}`), path)]));
  return { path, format: 'pt-zip', entries, values, prefix };
}
