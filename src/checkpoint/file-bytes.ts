/** Positioned reads of a file, which are checked against its size. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { SaeEvalError } from '../errors.js';

/**
 * Open file. Reads are synchronous, because headers are small and take a few reads only. The caller
 * closes it.
 */
export class FileBytes {
  readonly path: string;
  readonly size: number;
  readonly #file: number;

  /**
   * @throws SaeEvalError `file-unreadable` for a folder or a device.
   * @throws Error with Node's code, such as `ENOENT`, if the file cannot be opened.
   */
  constructor(path: string) {
    this.path = path;
    // Not blocking: opening a pipe would wait for its other end.
    this.#file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(this.#file);
    if (!status.isFile()) {
      closeSync(this.#file);
      throw new SaeEvalError(
        'file-unreadable',
        `${path}: expected a file, found ${status.isDirectory() ? 'a folder' : 'something else'}.`,
      );
    }
    this.size = status.size;
  }

  /**
   * Exactly these bytes. The range is checked before memory is allocated.
   * @throws SaeEvalError `checkpoint-format` if the file does not have them.
   */
  read(byteOffset: number, byteLength: number): Buffer {
    if (
      !Number.isSafeInteger(byteOffset) ||
      !Number.isSafeInteger(byteLength) ||
      byteOffset < 0 ||
      byteLength < 0 ||
      byteOffset + byteLength > this.size
    ) {
      throw new SaeEvalError(
        'checkpoint-format',
        `${this.path}: expected ${byteLength} bytes at ${byteOffset}, found a file of ` +
          `${this.size} bytes. It is truncated or damaged.`,
      );
    }
    const bytes = Buffer.alloc(byteLength);
    for (let at = 0; at < byteLength;) {
      const count = readSync(this.#file, bytes, at, byteLength - at, byteOffset + at);
      if (count === 0)
        throw new SaeEvalError(
          'checkpoint-format',
          `${this.path}: became shorter while it was read.`,
        );
      at += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Result of `use`. The file is closed afterwards. */
  static with<T>(path: string, use: (file: FileBytes) => T): T {
    const file = new FileBytes(path);
    try {
      return use(file);
    } finally {
      file.close();
    }
  }
}
