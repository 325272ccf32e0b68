/**
 * Reads the weights of a block into memory while another block computes. Files are read and not
 * mapped: each byte is touched once, so that the system, where memory is short, drops those of
 * blocks that are done and not those that are about to be used.
 */
import { openFileHandle } from '../files/index.js';

/** Bytes of a file. */
export interface FileRange {
  path: string;
  from: number;
  length: number;
}

/** Bytes of one read. */
const pieceBytes = 2 ** 24;

/** Ranges by file and place, joined if one begins where another ends, or shortly after. */
export function joined(ranges: readonly FileRange[], gap = 4096): FileRange[] {
  const sorted = [...ranges].sort((a, b) =>
    a.path === b.path ? a.from - b.from : a.path < b.path ? -1 : 1,
  );
  const all: FileRange[] = [];
  for (const { path, from, length } of sorted) {
    const last = all.at(-1);
    if (last?.path === path && from <= last.from + last.length + gap)
      last.length = Math.max(last.length, from + length - last.from);
    else all.push({ path, from, length });
  }
  return all;
}

export const bytesIn = (ranges: readonly FileRange[]): number =>
  ranges.reduce((sum, { length }) => sum + length, 0);

/** Bytes at the beginning of the buffer that belong to nobody. */
const margin = 64;

/** One buffer, which is filled again and again. */
export class ReadAhead {
  readonly #size: number;
  #buffer: Buffer | null = null;
  /** Content of the buffer: ranges, one after the other. */
  #held: readonly FileRange[] = [];
  #last: Promise<void> = Promise.resolve();
  #stop = new AbortController();

  /** @param size bytes of the largest list of ranges. */
  constructor(size: number) {
    this.#size = size;
  }

  /**
   * Fills the buffer with ranges that are {@link joined}; what it held is lost. A fault of a file
   * is left to those who need the bytes: nothing is held then.
   */
  fill(ranges: readonly FileRange[]): Promise<void> {
    this.#stop.abort();
    const stop = (this.#stop = new AbortController());
    const before = this.#last;
    this.#held = [];
    return (this.#last = before.then(async () => {
      if (await this.#read(ranges, stop.signal).catch(() => false)) this.#held = ranges;
    }));
  }

  async #read(ranges: readonly FileRange[], signal: AbortSignal): Promise<boolean> {
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(margin + this.#size));
    let to = margin;
    for (const { path, from, length } of ranges) {
      const file = await openFileHandle(path);
      try {
        for (let done = 0; done < length;) {
          if (signal.aborted) return false;
          const wanted = Math.min(pieceBytes, length - done);
          const { bytesRead } = await file.read(buffer, to, wanted, from + done);
          if (bytesRead === 0) return false;
          done += bytesRead;
          to += bytesRead;
        }
      } finally {
        await file.close();
      }
    }
    return !signal.aborted;
  }

  /**
   * The bytes of a range, until the buffer is filled again; null if they are not held.
   * @param before number of bytes of any content before them, up to 64.
   */
  bytesOf({ path, from, length }: FileRange, before = 0): Uint8Array | null {
    let at = margin;
    for (const held of this.#held) {
      const offset = from - held.from;
      if (held.path === path && offset >= 0 && offset + length <= held.length)
        return this.#buffer!.subarray(at + offset - before, at + offset + length);
      at += held.length;
    }
    return null;
  }

  /** Ends what is read. */
  dispose(): void {
    this.#stop.abort();
    this.#held = [];
    void this.#last.then(() => {
      this.#buffer = null;
    });
  }
}
