/** Arguments that are not UTF-8: Node.js replaces their bytes, so that they name other files. */
import { readFileSync } from 'node:fs';
import { SaeEvalError } from '../errors.js';

/** Bytes of the arguments; none if the system does not tell. */
function rawArguments(): Buffer[] {
  const all: Buffer[] = [];
  try {
    const bytes = readFileSync('/proc/self/cmdline');
    for (let from = 0; from < bytes.length;) {
      const end = bytes.indexOf(0, from);
      all.push(bytes.subarray(from, end < 0 ? bytes.length : end));
      from = end < 0 ? bytes.length : end + 1;
    }
  } catch {
    // Then they are taken as they are.
  }
  return all;
}

const isUtf8 = (bytes: Buffer): boolean => Buffer.from(bytes.toString('utf8')).equals(bytes);

/** @throws SaeEvalError `request-invalid` for an argument that is not UTF-8. */
export function checkArguments(argv: readonly string[]): void {
  if (!argv.some((one) => one.includes('\ufffd'))) return;
  const wrong = rawArguments().find((bytes) => !isUtf8(bytes));
  if (wrong === undefined) return;
  const shown = wrong
    .toString('latin1')
    .replace(/[^ -~]/g, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`);
  throw new SaeEvalError(
    'request-invalid',
    `the argument ${shown} is not UTF-8, and would name another file: rename the file or folder, ` +
      'or give a link to it whose name is UTF-8',
  );
}
