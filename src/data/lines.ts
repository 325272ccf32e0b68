/** Reads the lines of a file piece by piece: memory does not grow with the file. */
import { factsIfAny } from '../files/index.js';
import { readBytes } from './bytes.js';
import type { DataFile } from './data-file.js';

const newline = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = '\uFEFF';

/** Longest line in bytes. A longer line is skipped without being held in memory. */
const longestLine = 256 * 2 ** 20;
/**
 * Longest line of a compressed file. Text shrinks to about a third, and a bomb of a few kilobytes
 * must not fill memory.
 */
const longestLineOfCompressed = (fileBytes: number): number =>
  Math.min(longestLine, 2 ** 24 + 32 * fileBytes);

/** Longest line of a file, in bytes. */
export function longestLineOf({ path, compression }: DataFile): number {
  return compression === 'none'
    ? longestLine
    : longestLineOfCompressed(Number(factsIfAny(path)?.size ?? 0));
}

/** Offset of the next line end, `\n`, `\r\n` or `\r` as in Python; −1 for none. */
function lineEnd(bytes: Buffer, from: number): number {
  const lf = bytes.indexOf(newline, from);
  const cr = bytes.subarray(from, lf === -1 ? bytes.length : lf).indexOf(carriageReturn);
  return cr === -1 ? lf : from + cr;
}

/** Line that cannot be read, with the beginning of what it holds. */
export class UnreadableLine {
  constructor(
    readonly reason: 'too-long' | 'not-utf8',
    readonly begin: string,
  ) {}
}

/** Line without its end. */
export type Line = string | UnreadableLine;

/** Number of bytes of an unreadable line that are shown. */
const shownBytes = 400;

/**
 * Lines of a file, empty lines included. A byte-order mark at the beginning of the file is dropped.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid`.
 */
export async function* readLines(
  file: DataFile,
  { onBytes }: { onBytes?: (count: number) => void } = {},
): AsyncGenerator<Line, void, undefined> {
  const longest = longestLineOf(file);
  // The decoder would drop a byte-order mark at the beginning of every line.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let first = true;
  const finish = (): Line => {
    let line: Line;
    const begin = (): string =>
      (parts[0] ?? Buffer.alloc(0)).subarray(0, shownBytes).toString('utf8');
    try {
      line =
        held > longest
          ? new UnreadableLine('too-long', begin())
          : decoder.decode(parts.length === 1 ? parts[0] : Buffer.concat(parts));
    } catch {
      line = new UnreadableLine('not-utf8', begin());
    }
    if (first && typeof line === 'string' && line.startsWith(byteOrderMark)) line = line.slice(1);
    first = false;
    parts = [];
    held = 0;
    return line;
  };

  let parts: Buffer[] = [];
  let held = 0;
  /** Whether the last piece ended in `\r`, to which a leading `\n` belongs. */
  let afterReturn = false;
  const hold = (bytes: Buffer): void => {
    held += bytes.length;
    // Of a line that is too long, only the beginning is kept, as a copy.
    if (held <= longest) parts.push(bytes);
    else if (parts.length !== 1 || parts[0]!.length > shownBytes)
      parts = [Buffer.from((parts[0] ?? bytes).subarray(0, shownBytes))];
  };
  for await (const bytes of readBytes(file)) {
    onBytes?.(bytes.length);
    let from = afterReturn && bytes[0] === newline ? 1 : 0;
    afterReturn = false;
    for (let end = lineEnd(bytes, from); end !== -1; end = lineEnd(bytes, from)) {
      hold(bytes.subarray(from, end));
      yield finish();
      from = end + 1;
      if (bytes[end] === carriageReturn) {
        if (from === bytes.length) afterReturn = true;
        else if (bytes[from] === newline) from++;
      }
    }
    if (from < bytes.length) hold(bytes.subarray(from));
  }
  if (held > 0) yield finish();
}
