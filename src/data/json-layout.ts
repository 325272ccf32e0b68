/**
 * How a JSON file is written: as lines, or as one document with a list of records, `[ {…}, … ]` or
 * `{ "key": [ {…}, … ] }`.
 */
import { SaeEvalError } from '../errors.js';
import { readBytes } from './bytes.js';
import type { DataFile } from './data-file.js';
import {
  colon,
  comma,
  isMark,
  isSpace,
  keyOf,
  listBegin,
  listEnd,
  Nesting,
  newline,
  carriageReturn,
  objectBegin,
  quote,
} from './json-nesting.js';

const isNamedLines = ({ path }: DataFile): boolean => /\.jsonl(\.gz|\.zst)?$/.test(path);

/** What a document looks like from outside. */
interface Outline {
  top: 'list' | 'object';
  /** First byte of the first item of the list; null without one. `top: 'list'` only. */
  first: number | null;
  /** Keys of the object, each with the first byte of its list's first item if it has a list. */
  keys: Map<string, number | null>;
  /** Whether the document has more than one line. */
  multiline: boolean;
}

/** Makes an outline of the bytes of a file, as long as they can be those of one document. */
class OutlineReader {
  readonly outline: Outline = { top: 'list', first: null, keys: new Map(), multiline: false };
  readonly #nesting = new Nesting();
  #begun = false;
  /** Key that was read last, and the bytes of the one that is being read; null outside of keys. */
  #key = '';
  #keyBytes: number[] | null = null;
  #expects: 'key' | 'value' | 'separator' = 'value';
  /** Whether the first item of a list under a key comes next. */
  #awaitsFirst = false;

  /** Whether the document has begun, and whether it has ended. */
  get state(): 'before' | 'inside' | 'after' {
    return !this.#begun ? 'before' : this.#nesting.depth > 0 ? 'inside' : 'after';
  }

  /** Takes more bytes. @returns false if they are not those of one document. */
  push(bytes: Buffer): boolean {
    const nesting = this.#nesting;
    for (let at = 0; at < bytes.length; at++) {
      const each = bytes[at]!;
      if (nesting.inString) {
        // No string of JSON has an end of a line: these are lines, one of them broken.
        if (each === newline || each === carriageReturn) return false;
        nesting.take(each);
        if (this.#keyBytes !== null) this.#takeKey(each);
        continue;
      }
      if (isSpace(each)) {
        if (each === newline || each === carriageReturn)
          this.outline.multiline ||= nesting.depth > 0;
        continue;
      }
      const { depth } = nesting;
      if (depth > 2 || (depth === 2 && !this.#awaitsFirst)) {
        nesting.take(each);
        if (nesting.depth === 1) this.#expects = 'separator';
      } else if (!(depth === 0 ? this.#takeOutside(each) : this.#takeStructure(each))) return false;
    }
    return true;
  }

  #takeOutside(each: number): boolean {
    if (!this.#begun && isMark(each)) return true;
    if (this.#begun || (each !== listBegin && each !== objectBegin)) return false;
    this.#begun = true;
    this.outline.top = each === listBegin ? 'list' : 'object';
    this.#expects = each === listBegin ? 'value' : 'key';
    this.#nesting.take(each);
    return true;
  }

  #takeKey(each: number): void {
    if (this.#nesting.inString) {
      this.#keyBytes!.push(each);
      return;
    }
    this.#key = keyOf(this.#keyBytes!);
    this.#keyBytes = null;
    this.outline.keys.set(this.#key, null);
  }

  /** A byte outside of strings, between the items or members of the document. */
  #takeStructure(each: number): boolean {
    const { outline } = this;
    this.#nesting.take(each);
    if (this.#awaitsFirst) {
      this.#awaitsFirst = false;
      if (each === listEnd) this.#expects = 'separator';
      else outline.keys.set(this.#key, each);
      return true;
    }
    if (this.#nesting.depth === 0) return (each === listEnd) === (outline.top === 'list');
    if (each === comma) {
      this.#expects = outline.top === 'list' ? 'value' : 'key';
      return true;
    }
    if (each === colon) return true;
    const begins = each === quote || each === listBegin || each === objectBegin;
    if (begins && this.#expects === 'separator') return false;
    if (this.#expects === 'key') {
      if (each !== quote) return false;
      this.#keyBytes = [];
      this.#expects = 'value';
      return true;
    }
    if (outline.top === 'list') outline.first ??= each;
    this.#awaitsFirst = outline.top === 'object' && each === listBegin;
    if (each === quote) this.#expects = 'separator';
    return true;
  }
}

/**
 * Outline of a file that is one JSON document; null if it is something else, such as lines. A file
 * of lines is told by its first two records; a document is read to its end.
 * @throws SaeEvalError `dataset-invalid` for a list without an end.
 */
async function outlineOf(file: DataFile): Promise<Outline | null> {
  const reader = new OutlineReader();
  for await (const bytes of readBytes(file)) if (!reader.push(bytes)) return null;
  const { state, outline } = reader;
  if (
    state === 'inside' &&
    outline.top === 'list' &&
    outline.first === objectBegin &&
    !isNamedLines(file)
  )
    throw new SaeEvalError(
      'dataset-invalid',
      `${file.path}: expected a JSON list of records, found one without an end: the file may be ` +
        'cut off. Fetch or write it again.',
    );
  return state === 'after' ? outline : null;
}

/** The way in which the records of a JSON file are written. */
export type JsonLayout =
  | { kind: 'lines' }
  /** A list, on top or under a key. */
  | { kind: 'list'; under: string | null }
  /** One record over several lines. */
  | { kind: 'record' };

/** Outlines of the files that were read, since a data set is read twice. */
const outlines = new WeakMap<DataFile, Outline | null>();

/**
 * The way in which a JSON file is written. Files named `.jsonl` are lines, unless the whole file is
 * a list of objects, or a document of several lines.
 * @param field the field that a record has.
 * @throws SaeEvalError `dataset-invalid` if several keys have a list of objects.
 */
export async function layoutOf(file: DataFile, field: string): Promise<JsonLayout> {
  const outline = outlines.has(file) ? (outlines.get(file) ?? null) : await outlineOf(file);
  outlines.set(file, outline);
  if (outline === null) return { kind: 'lines' };
  const byName = isNamedLines(file);
  const { top, first, keys, multiline } = outline;
  if (top === 'list')
    return first === objectBegin || (first === quote && !byName)
      ? { kind: 'list', under: null }
      : { kind: 'lines' };
  if (keys.has(field) || keys.has(field.split('.')[0]!) || (byName && !multiline))
    return { kind: multiline ? 'record' : 'lines' };
  const holding = (begin: number): string[] =>
    [...keys].flatMap(([key, found]) => (found === begin ? [key] : []));
  const lists = holding(objectBegin).length > 0 || byName ? holding(objectBegin) : holding(quote);
  if (lists.length > 1)
    throw new SaeEvalError(
      'dataset-invalid',
      `${file.path}: expected a JSON document with one list of records, found lists under the ` +
        `keys ${lists.map((key) => JSON.stringify(key.slice(0, 60))).join(', ')}. Write the ` +
        'records of one of them to a file of their own.',
    );
  if (lists.length === 1) return { kind: 'list', under: lists[0]! };
  return { kind: multiline ? 'record' : 'lines' };
}
