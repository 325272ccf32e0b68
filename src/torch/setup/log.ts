/**
 * How set-up tells what it does: whole lines, and steps of progress that a terminal shows on one
 * line.
 */

/** `progress` messages may replace each other; `line` messages stay. */
export type SetupLog = (message: string, kind: 'line' | 'progress') => void;

const plainProgressEvery = 3_000; // milliseconds

/**
 * Writes to a stream: progress as one line that updates itself on a terminal, as a plain line now
 * and then elsewhere.
 */
export function streamLog(stream: NodeJS.WriteStream = process.stderr): SetupLog {
  let open = false;
  let lastPlain = -Infinity;
  return (message, kind) => {
    if (kind === 'progress' && stream.isTTY) {
      stream.write(`\r\u001b[2K${message.slice(0, (stream.columns || 80) - 1)}`);
      open = true;
      return;
    }
    if (kind === 'progress') {
      if (performance.now() - lastPlain < plainProgressEvery) return;
      lastPlain = performance.now();
    }
    stream.write(`${open ? '\r\u001b[2K' : ''}${message}\n`);
    open = false;
  };
}
