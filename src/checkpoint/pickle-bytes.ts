/** Bounds-checked reads of the bytes of a pickle, one after the other. */
import { SaeEvalError } from '../errors.js';

/** The bytes end before the pickle does. */
export class PickleTruncated extends SaeEvalError {}

const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

/** Every read throws {@link PickleTruncated} if the bytes end before it. */
export class PickleBytes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  #at = 0;

  /** @param file name of the file, for errors. */
  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#at;
  }

  /** Refuses the pickle. @throws SaeEvalError `checkpoint-format`. */
  fail(message: string): never {
    throw new SaeEvalError(
      'checkpoint-format',
      `${this.#file}: damaged pickle at byte ${this.#at}: ${message}.`,
    );
  }

  #truncated(message: string): never {
    throw new PickleTruncated(
      'checkpoint-format',
      `${this.#file}: the pickle ends at byte ${this.#at}: ${message}. The file is ` +
        'truncated or damaged.',
    );
  }

  #take(count: number): number {
    const from = this.#at;
    if (from + count > this.#bytes.length)
      this.#truncated(`${count} bytes wanted, ${this.#bytes.length - from} left`);
    this.#at += count;
    return from;
  }

  slice(count: number): Uint8Array {
    const from = this.#take(count);
    return this.#bytes.subarray(from, from + count);
  }

  text(count: number): string {
    return utf8.decode(this.slice(count));
  }

  /** Text up to the next line feed, which is skipped. */
  line(): string {
    return utf8.decode(this.#line());
  }

  /** As {@link line}, a character for each byte. */
  latinLine(): string {
    return Buffer.from(this.#line()).toString('latin1');
  }

  #line(): Uint8Array {
    const end = this.#bytes.indexOf(10, this.#at);
    if (end < 0) this.#truncated('a line without an end');
    const bytes = this.slice(end - this.#at);
    this.#at = end + 1;
    return bytes;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  /** Length of eight bytes. @throws SaeEvalError `checkpoint-format` beyond 2^53. */
  length64(): number {
    const length = this.#view.getBigUint64(this.#take(8), true);
    return length > BigInt(Number.MAX_SAFE_INTEGER)
      ? this.fail(`a length of ${length}`)
      : Number(length);
  }

  /** Float64, the one number that pickles store big-endian. */
  f64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** Little-endian two's complement integer: a number if it is safe, else a bigint. */
  long(count: number): number | bigint {
    if (count > 64) this.fail(`an integer of ${count} bytes`);
    const bytes = this.slice(count);
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    if (bytes.length > 0 && (bytes[bytes.length - 1]! & 0x80) !== 0)
      value -= 1n << BigInt(8 * bytes.length);
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value;
  }
}
