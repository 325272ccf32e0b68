/** A text's words, so many at a time: the chunks that become samples. */
import { whiteSpace } from './records.js';

/** The words of a text as Python's `str.split()` gives them, one after the other. */
export function* words(text: string): Generator<string, void, undefined> {
  for (const [word] of text.matchAll(new RegExp(`[^${whiteSpace}]+`, 'g'))) yield word;
}

/** `size` words at a time, joined by one space; the short last chunk is kept. */
export function* chunk(text: string, size: number): Generator<string, void, undefined> {
  let taken: string[] = [];
  for (const word of words(text)) {
    taken.push(word);
    if (taken.length === size) {
      yield taken.join(' ');
      taken = [];
    }
  }
  if (taken.length > 0) yield taken.join(' ');
}
