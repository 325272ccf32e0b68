/**
 * Reads `.pt` files that torch.save writes since PyTorch 1.6: a zip of a pickle and its storages.
 */
import { SaeEvalError } from '../errors.js';
import { itemBytes } from './dtypes.js';
import { entryOf } from './entries.js';
import { FileBytes } from './file-bytes.js';
import { PickleReader } from './pickle.js';
import type { Checkpoint } from './read.js';
import { checkpointOf } from './state-dict.js';
import { storageFromId, torchGlobals } from './torch-globals.js';
import { readZipDirectory, type ZipEntry } from './zip.js';

/** Limit on the pickle, which suffices for 400,000 tensors. */
const mostPickleBytes = 64 * 2 ** 20;

/**
 * Entries of a `.pt` file.
 * @throws SaeEvalError `checkpoint-format`, `checkpoint-forbidden`, `checkpoint-module`.
 */
export function readPtZip(path: string): Checkpoint {
  return FileBytes.with(path, (file) => {
    const bad = (what: string): SaeEvalError =>
      new SaeEvalError('checkpoint-format', `${path}: ${what}`);
    const directory = readZipDirectory(file);
    const stored = (name: string, entry: ZipEntry): ZipEntry => {
      if (entry.method !== 0)
        throw bad(
          `entry '${name}' is compressed, so it cannot be mapped. Save the file again with ` +
            'torch.save.',
        );
      return entry;
    };
    const pickles = [...directory.keys()].filter((name) => /^([^/]+\/)?data\.pkl$/.test(name));
    const pickleName = pickles[0];
    if (pickleName === undefined) {
      const names = [...directory.keys()]
        .slice(0, 5)
        .map((name) => `'${name.slice(0, 60)}'`)
        .join(', ');
      throw bad(
        'expected a zip with data.pkl, as torch.save writes it; found one that holds ' +
          `${names || 'nothing'}.`,
      );
    }
    if (pickles.length > 1) throw bad(`expected one data.pkl, found ${pickles.length}.`);
    const folder = pickleName.slice(0, -'data.pkl'.length);
    if (directory.has(`${folder}constants.pkl`)) {
      throw new SaeEvalError(
        'checkpoint-module',
        `${path}: holds a TorchScript module; expected a state_dict. Save ` +
          'torch.save(model.state_dict(), path).',
      );
    }
    const order = directory.get(`${folder}byteorder`);
    if (order !== undefined && order.byteLength < 16) {
      const byteOrder = file
        .read(order.byteOffset, stored('byteorder', order).byteLength)
        .toString('latin1')
        .trim();
      if (byteOrder !== 'little')
        throw bad(
          `expected byte order little, found ${JSON.stringify(byteOrder)}. Save it again ` +
            'on a little-endian machine.',
        );
    }
    const pickle = stored(pickleName, directory.get(pickleName)!);
    if (pickle.byteLength > mostPickleBytes)
      throw bad(
        `expected a pickle of at most ${mostPickleBytes} bytes, found ${pickle.byteLength}.`,
      );
    const reader = new PickleReader(file.read(pickle.byteOffset, pickle.byteLength), {
      file: path,
      global: torchGlobals(path),
      persistent: (id) => storageFromId(path, id),
    });
    const root = reader.read();
    return checkpointOf(root, {
      path,
      format: 'pt-zip',
      unknown: reader.unknown,
      entryOf: (name, tensor) => {
        const { key, dtype, numel } = tensor.storage;
        const record = directory.get(`${folder}data/${key}`);
        if (
          record !== undefined &&
          stored(`data/${key}`, record).byteLength !==
            numel * (dtype === null ? 1 : itemBytes[dtype])
        ) {
          throw bad(
            `storage '${key}' is said to have ${numel} elements, its entry has ` +
              `${record.byteLength} bytes. The file is damaged.`,
          );
        }
        return entryOf(name, tensor, record, path);
      },
    });
  });
}
