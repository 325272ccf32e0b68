/** Positioned reads of a file that never ask for more than it has. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { SaeEvalError } from '../errors.js';

/**
 * An open file, read synchronously: headers are small and a check of one is over in a few reads.
 */
export class FileBytes {
  readonly path: string;
  readonly size: number;
  readonly #file: number;

  /**
   * @throws SaeEvalError `file-unreadable` for a folder or device; what `open` throws for a
   *   missing file.
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
   * Exactly these bytes. The range is checked before anything is allocated. @throws SaeEvalError
   * `checkpoint-format`.
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

  /** What `use` makes of the file, which is closed afterwards. */
  static with<T>(path: string, use: (file: FileBytes) => T): T {
    const file = new FileBytes(path);
    try {
      return use(file);
    } finally {
      file.close();
    }
  }
}
