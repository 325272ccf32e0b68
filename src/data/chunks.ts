/** A text's words, so many at a time: the chunks that become samples. */
import { whiteSpace } from './records.js';

/** The words of a text as Python's `str.split()` gives them, one after the other. */
export function* words(text: string): Generator<string, void, undefined> {
  for (const [word] of text.matchAll(new RegExp(`[^${whiteSpace}]+`, 'g'))) yield word;
}

/**
 * Cuts one record, given in parts that end between words, into chunks of `size` words joined by one
 * space.
 */
export class Chunker {
  #taken: string[] = [];

  constructor(private readonly size: number) {}

  /** The chunks that are complete with this part. */
  *push(part: string): Generator<string, void, undefined> {
    for (const word of words(part)) {
      this.#taken.push(word);
      if (this.#taken.length === this.size) yield this.#flush();
    }
  }

  /** The record's short last chunk, where there is one. */
  *end(): Generator<string, void, undefined> {
    if (this.#taken.length > 0) yield this.#flush();
  }

  #flush(): string {
    const chunk = this.#taken.join(' ');
    this.#taken = [];
    return chunk;
  }
}

/** The chunks of a text. */
export function* chunk(text: string, size: number): Generator<string, void, undefined> {
  const chunker = new Chunker(size);
  yield* chunker.push(text);
  yield* chunker.end();
}
