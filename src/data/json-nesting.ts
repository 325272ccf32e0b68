/** Brackets and strings of JSON, followed byte by byte: what is needed to tell its parts apart. */

const byte = (character: string): number => character.charCodeAt(0);
export const [quote, backslash, comma, colon] = [byte('"'), byte('\\'), byte(','), byte(':')];
export const [listBegin, listEnd, objectBegin, objectEnd] = [
  byte('['),
  byte(']'),
  byte('{'),
  byte('}'),
];
export const [newline, carriageReturn] = [byte('\n'), byte('\r')];
export const isSpace = (each: number): boolean =>
  each === 0x20 || each === 0x09 || each === newline || each === carriageReturn;
/** Bytes of a byte-order mark, which may stand before the document. */
export const isMark = (each: number): boolean => each === 0xef || each === 0xbb || each === 0xbf;

/** Longest key in bytes; the rest of a longer one is ignored. */
const longestKey = 1000;

/** Follows brackets and strings, byte by byte. */
export class Nesting {
  depth = 0;
  inString = false;
  #escaped = false;

  /** Takes the next byte. @returns whether it is a part of a string, quotes included. */
  take(each: number): boolean {
    if (this.inString) {
      if (this.#escaped) this.#escaped = false;
      else if (each === backslash) this.#escaped = true;
      else if (each === quote) this.inString = false;
      return true;
    }
    if (each === quote) this.inString = true;
    else if (each === listBegin || each === objectBegin) this.depth++;
    else if (each === listEnd || each === objectEnd) this.depth--;
    return each === quote;
  }
}

/** Key of an object, from the bytes between its quotes. */
export function keyOf(bytes: readonly number[]): string {
  const raw = Buffer.from(bytes.slice(0, longestKey)).toString('utf8');
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}
