/** Cuts and pads token ids to samples of one length. */
import type { Tokenizer } from '../lm/tokenizer.js';
import type { Chunking } from './pieces.js';

export interface Sample {
  /** T token ids, padded on the right. */
  ids: Int32Array;
  /** Number of real tokens. */
  length: number;
  /** Number of tokens lost to truncation. */
  truncated: number;
}

/** Makes samples of pieces, which are given in order. */
export class Assembly {
  /** Tokens that wait for the rest of their sample (`packed` only). */
  #open: number[] = [];

  constructor(
    private readonly options: {
      tokenizer: Tokenizer;
      padId: number;
      seqLen: number;
      chunking: Chunking;
    },
  ) {}

  /** Samples that the ids of one piece complete. */
  *push(ids: readonly number[]): Generator<Sample, void, undefined> {
    const { tokenizer, seqLen, chunking } = this.options;
    if (chunking !== 'packed') {
      const kept = ids.length > seqLen ? tokenizer.truncate(ids, seqLen) : ids;
      yield this.#sample(kept, ids.length - kept.length);
      return;
    }
    let from = 0;
    while (this.#open.length + ids.length - from >= seqLen) {
      const to = from + seqLen - this.#open.length;
      yield this.#sample([...this.#open, ...ids.slice(from, to)], 0);
      this.#open = [];
      from = to;
    }
    for (const id of ids.slice(from)) this.#open.push(id);
  }

  /** Short last sample, if there is one (`packed` only). */
  *end(): Generator<Sample, void, undefined> {
    if (this.#open.length > 0) yield this.#sample(this.#open, 0);
    this.#open = [];
  }

  #sample(ids: readonly number[], truncated: number): Sample {
    const padded = new Int32Array(this.options.seqLen).fill(this.options.padId);
    padded.set(ids);
    return { ids: padded, length: ids.length, truncated };
  }
}
