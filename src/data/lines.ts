/** Lines of a text file, read piece by piece: never the whole file in memory. */
import { open } from 'node:fs/promises';
import { asSaeEvalError } from '../errors.js';

const newline = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = '\uFEFF';

/** A line this long is no record; it is passed over without being held. */
const longestLine = 256 * 2 ** 20;

const pieceBytes = 1 << 18;

/** Where the next line ends, as Python's universal newlines have it: `\n`, `\r\n` or `\r`. */
function lineEnd(bytes: Buffer, from: number): number {
  const lf = bytes.indexOf(newline, from);
  const cr = bytes.subarray(from, lf === -1 ? bytes.length : lf).indexOf(carriageReturn);
  return cr === -1 ? lf : from + cr;
}

/** One line without its end; null where its bytes are not UTF-8 or are too many. */
export type Line = string | null;

/**
 * The lines of a file; `\r\n` may give an empty line after the first end. A leading byte-order mark is dropped.
 * Closes the file when the caller stops early.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`.
 */
export async function* readLines(path: string, { onBytes }: { onBytes?: (count: number) => void } = {}): AsyncGenerator<Line, void, undefined> {
  // A byte-order mark inside the file is text; only the one at its beginning is a mark.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const decode = (bytes: Buffer): Line => {
    try {
      return decoder.decode(bytes);
    } catch {
      return null;
    }
  };
  let first = true;
  const finish = (parts: readonly Buffer[], tooLong: boolean): Line => {
    let line = tooLong ? null : decode(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    if (first && line?.startsWith(byteOrderMark) === true) line = line.slice(1);
    first = false;
    return line;
  };

  try {
    const file = await open(path);
    try {
      let parts: Buffer[] = [];
      let held = 0;
      for (;;) {
        const piece = Buffer.allocUnsafe(pieceBytes);
        const { bytesRead } = await file.read(piece, 0, pieceBytes, null);
        if (bytesRead === 0) break;
        onBytes?.(bytesRead);
        const bytes = piece.subarray(0, bytesRead);
        let from = 0;
        for (let end = lineEnd(bytes, 0); end !== -1; end = lineEnd(bytes, from)) {
          parts.push(bytes.subarray(from, end));
          yield finish(parts, held > longestLine);
          parts = [];
          held = 0;
          from = end + 1;
        }
        if (from < bytes.length) {
          held += bytes.length - from;
          if (held > longestLine) parts = [];
          else parts.push(bytes.subarray(from));
        }
      }
      if (held > 0) yield finish(parts, held > longestLine);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    throw asSaeEvalError(thrown, `The data file ${path}`);
  }
}
