/** Cuts texts into chunks of a fixed number of words, as the evaluation protocols define them. */
import { whiteSpace } from './records.js';

/** Words of a text, split as by Python's `str.split()`. */
export function* words(text: string): Generator<string, void, undefined> {
  for (const [word] of text.matchAll(new RegExp(`[^${whiteSpace}]+`, 'g'))) yield word;
}

/**
 * Cuts one record into chunks of `size` words, joined by one space. The record may come in parts
 * that end between words.
 */
export class Chunker {
  #taken: string[] = [];

  constructor(private readonly size: number) {}

  /** Chunks that this part completes. */
  *push(part: string): Generator<string, void, undefined> {
    for (const word of words(part)) {
      this.#taken.push(word);
      if (this.#taken.length === this.size) yield this.#flush();
    }
  }

  /** Short last chunk of the record, if there is one. */
  *end(): Generator<string, void, undefined> {
    if (this.#taken.length > 0) yield this.#flush();
  }

  #flush(): string {
    const chunk = this.#taken.join(' ');
    this.#taken = [];
    return chunk;
  }
}

/** Chunks of a text. */
export function* chunk(text: string, size: number): Generator<string, void, undefined> {
  const chunker = new Chunker(size);
  yield* chunker.push(text);
  yield* chunker.end();
}
