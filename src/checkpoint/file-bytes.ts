/** Positioned reads of a file, which are checked against its size. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SaeEvalError } from '../errors.js';
import { openFile } from '../files/index.js';

/**
 * Open file. Reads are synchronous, because headers are small and take a few reads only. The caller
 * closes it.
 */
export class FileBytes {
  readonly path: string;
  readonly size: number;
  readonly #file: number;

  private constructor(path: string, file: number) {
    this.path = path;
    this.#file = file;
    this.size = fstatSync(file).size;
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

  /**
   * Result of `use` on a file that a request names. The file is closed afterwards.
   * @throws SaeEvalError `file-unreadable` for a folder or a device; `path-outside-roots`.
   * @throws Error with Node's code, such as `ENOENT`, if the file cannot be opened.
   */
  static with<T>(path: string, use: (file: FileBytes) => T): T {
    return FileBytes.#using(new FileBytes(path, openFile(path)), use);
  }

  /** The same of a file that this program made, wherever that lies. */
  static withOwn<T>(path: string, use: (file: FileBytes) => T): T {
    return FileBytes.#using(new FileBytes(path, openSync(path, 'r')), use);
  }

  /** A file that this program made; the caller closes it. */
  static openOwn(path: string): FileBytes {
    return new FileBytes(path, openSync(path, 'r'));
  }

  static #using<T>(file: FileBytes, use: (file: FileBytes) => T): T {
    try {
      return use(file);
    } finally {
      file.close();
    }
  }
}
