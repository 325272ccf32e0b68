/** Reads the items of a JSON document one after the other, whatever the size of the file. */
import { readBytes } from './bytes.js';
import type { DataFile } from './data-file.js';
import type { JsonLayout } from './json-layout.js';
import { comma, keyOf, listBegin, Nesting } from './json-nesting.js';
import { longestLineOf, UnreadableLine, type Line } from './lines.js';

/**
 * Items of a list, on top or under a key, or the whole document, each as the text of its JSON.
 * Memory holds one item, which may be as long as a line.
 */
export async function* readItems(
  file: DataFile,
  layout: Exclude<JsonLayout, { kind: 'lines' }>,
  { onBytes }: { onBytes?: (count: number) => void } = {},
): AsyncGenerator<Line, void, undefined> {
  const longest = longestLineOf(file);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const nesting = new Nesting();
  const level = layout.kind === 'record' ? 0 : layout.under === null ? 1 : 2;
  let parts: Buffer[] = [];
  let held = 0;
  /** Whether the bytes at this level are items. */
  let inside = level < 2;
  let keyBytes: number[] = [];
  let key = '';

  const hold = (bytes: Buffer): void => {
    held += bytes.length;
    if (held <= longest) parts.push(bytes);
    else parts = parts.slice(0, 1);
  };
  const finish = (): Line | null => {
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    const begin = (): string => bytes.subarray(0, 400).toString('utf8');
    const tooLong = held > longest;
    parts = [];
    held = 0;
    if (tooLong) return new UnreadableLine('too-long', begin());
    try {
      const text = decoder.decode(bytes).trim();
      return text === '' ? null : text;
    } catch {
      return new UnreadableLine('not-utf8', begin());
    }
  };

  for await (const bytes of readBytes(file)) {
    onBytes?.(bytes.length);
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const each = bytes[at]!;
      const before = nesting.depth;
      const wasString = nesting.inString;
      const partOfString = nesting.take(each);
      if (level === 2 && before === 1 && partOfString) {
        if (!wasString) keyBytes = [];
        else if (nesting.inString) keyBytes.push(each);
        // The string before a list is its key; a string value is followed by no list.
        else key = keyOf(keyBytes);
      }
      if (partOfString || level === 0) continue;
      if (before === level - 1 && nesting.depth === level && each === listBegin) {
        inside = level === 1 || key === (layout as { under: string }).under;
        from = at + 1;
      } else if (before === level && inside && (each === comma || nesting.depth < level)) {
        hold(bytes.subarray(from, at));
        const item = finish();
        if (item !== null) yield item;
        from = at + 1;
        if (nesting.depth < level && level === 2) inside = false;
      }
    }
    if (level === 0 || (inside && nesting.depth >= level)) hold(bytes.subarray(from));
  }
  const rest = finish();
  if (rest !== null) yield rest;
}
