/** Messages of set-up: lines that stay, and progress that a terminal shows on one line. */

/** `progress` messages may replace each other; `line` messages stay. */
export type SetupLog = (message: string, kind: 'line' | 'progress') => void;

const plainProgressEvery = 3_000; // milliseconds

/** Log on a stream: progress updates one line of a terminal; elsewhere it is a line every 3 s. */
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
