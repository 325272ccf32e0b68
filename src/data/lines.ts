/** Lines of a file, found piece by piece: never the whole file in memory. */
import { stat } from 'node:fs/promises';
import { readBytes } from './bytes.js';
import type { DataFile } from './files.js';

const newline = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = '\uFEFF';

/** A line this long is no record; it is passed over without being held. */
const longestLine = 256 * 2 ** 20;
/**
 * Of a compressed file: text shrinks to a third or so, and a bomb of a few kilobytes is not to fill
 * memory.
 */
const longestLineOfCompressed = (fileBytes: number): number =>
  Math.min(longestLine, 2 ** 24 + 32 * fileBytes);

/** Where the next line ends, as Python's universal newlines have it: `\n`, `\r\n` or `\r`. */
function lineEnd(bytes: Buffer, from: number): number {
  const lf = bytes.indexOf(newline, from);
  const cr = bytes.subarray(from, lf === -1 ? bytes.length : lf).indexOf(carriageReturn);
  return cr === -1 ? lf : from + cr;
}

/** One line without its end; null where its bytes are not UTF-8 or are too many. */
export type Line = string | null;

/**
 * The lines of a file, the empty ones too. A leading byte-order mark is dropped.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `dataset-invalid`.
 */
export async function* readLines(
  file: DataFile,
  { onBytes }: { onBytes?: (count: number) => void } = {},
): AsyncGenerator<Line, void, undefined> {
  // A byte-order mark inside the file is text; only the one at its beginning is a mark.
  const longest =
    file.compression === 'none'
      ? longestLine
      : longestLineOfCompressed((await stat(file.path).catch(() => null))?.size ?? 0);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let first = true;
  const finish = (parts: readonly Buffer[], bytes: number): Line => {
    let line: Line;
    try {
      line =
        bytes > longest
          ? null
          : decoder.decode(parts.length === 1 ? parts[0] : Buffer.concat(parts));
    } catch {
      line = null;
    }
    if (first && line?.startsWith(byteOrderMark) === true) line = line.slice(1);
    first = false;
    return line;
  };

  let parts: Buffer[] = [];
  let held = 0;
  /** The piece before ended in `\r`: a `\n` now belongs to it. */
  let afterReturn = false;
  const hold = (bytes: Buffer): void => {
    held += bytes.length;
    if (held > longest) parts = [];
    else parts.push(bytes);
  };
  for await (const bytes of readBytes(file)) {
    onBytes?.(bytes.length);
    let from = afterReturn && bytes[0] === newline ? 1 : 0;
    afterReturn = false;
    for (let end = lineEnd(bytes, from); end !== -1; end = lineEnd(bytes, from)) {
      hold(bytes.subarray(from, end));
      yield finish(parts, held);
      parts = [];
      held = 0;
      from = end + 1;
      if (bytes[end] === carriageReturn) {
        if (from === bytes.length) afterReturn = true;
        else if (bytes[from] === newline) from++;
      }
    }
    if (from < bytes.length) hold(bytes.subarray(from));
  }
  if (held > 0) yield finish(parts, held);
}
