/** Arguments of the opcodes of pickle protocols 0 and 1, which are lines of text. */
import type { PickleBytes } from './pickle-bytes.js';

/** Digits of the longest integer that is read, as many as 64 bytes have. */
const mostDigits = 160;

const notFinite: ReadonlyMap<string, number> = new Map([
  ['inf', Infinity],
  ['-inf', -Infinity],
  ['nan', NaN],
]);

/**
 * Number on the next line, as Python writes it for that opcode; INT also has booleans (`00`, `01`).
 * @throws SaeEvalError `checkpoint-format`.
 */
export function textNumber(
  bytes: PickleBytes,
  opcode: 'INT' | 'LONG' | 'FLOAT',
): number | bigint | boolean {
  const line = bytes.line().trim();
  if (opcode === 'FLOAT') {
    const named = notFinite.get(line);
    if (named !== undefined) return named;
    if (/^[-+]?[\d.]+(e[-+]?\d+)?$/i.test(line) && line.length < 64) return Number(line);
    return bytes.fail('a number that is none');
  }
  if (opcode === 'INT' && (line === '00' || line === '01')) return line === '01';
  const digits = line.replace(/L$/, '');
  if (!/^[-+]?\d+$/.test(digits) || digits.length > mostDigits)
    bytes.fail('an integer that is none, or too long');
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : BigInt(digits);
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

const fromCode = (code: string): string => {
  const point = parseInt(code, 16);
  return point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
};

/** Text of a line in quotes with Python's escapes. @throws SaeEvalError `checkpoint-format`. */
export function quotedText(bytes: PickleBytes): string {
  const line = bytes.line().trim();
  const quote = line[0];
  if (line.length < 2 || (quote !== "'" && quote !== '"') || line.at(-1) !== quote)
    bytes.fail('a text without quotes');
  return line
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([^x]))/g, (_, code?: string, letter = '') =>
      code === undefined ? (escapes[letter as string] ?? (letter as string)) : fromCode(code),
    );
}

/** Text of a line with `\uXXXX` and `\UXXXXXXXX` in place of some characters. */
export function escapedText(bytes: PickleBytes): string {
  return bytes
    .latinLine()
    .replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g, (_, short?: string, long?: string) =>
      fromCode(short ?? long!),
    );
}
