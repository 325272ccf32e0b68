/** Lines on standard error, whatever names and messages of files are in them. */
import { shown } from '../shown-text.js';

/** Writes a line. */
export function say(line: string): void {
  process.stderr.write(`${shown(line)}\n`);
}
