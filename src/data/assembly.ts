/** Cuts and pads token ids to samples of one length. */
import type { Tokenizer } from '../lm/tokenizer.js';
import type { PrependBos } from './bos.js';
import type { Chunking } from './pieces.js';
import { SaelensPacking } from './saelens-packing.js';

export interface Sample {
  /** T token ids, padded on the right. */
  ids: Int32Array;
  /** Number of real tokens. */
  length: number;
  /** Number of tokens lost to truncation. */
  truncated: number;
  /** 1 for each of the T positions whose role does not count; absent if all count. */
  out?: Uint8Array;
}

/** Ids of a piece. */
export interface PieceTokens {
  ids: readonly number[];
  /** 1 for each id whose role counts; absent if all count. */
  counted?: Uint8Array;
  /** Whether ids are cut off as they are: no special token at the end stays. */
  isRendered?: boolean;
}

const packingOf = ({
  tokenizer,
  ...options
}: {
  tokenizer: Tokenizer;
  seqLen: number;
  prependBos?: PrependBos;
}): SaelensPacking => new SaelensPacking(tokenizer, { prependBos: undefined, ...options });

/** Makes samples of pieces, which are given in order. */
export class Assembly {
  /** Tokens that wait for the rest of their sample (`packed` only). */
  #open: number[] = [];
  /** Which of them count; absent if all do. */
  #openCounted: number[] = [];
  readonly #saelens: SaelensPacking | null;

  constructor(
    private readonly options: {
      tokenizer: Tokenizer;
      padId: number;
      seqLen: number;
      chunking: Chunking;
      /** Whether contexts begin with BOS; `saelens` alone asks. */
      prependBos?: PrependBos;
    },
  ) {
    this.#saelens = options.chunking === 'saelens' ? packingOf(options) : null;
  }

  /** Samples that the ids of one piece complete. */
  *push({ ids, counted, isRendered = false }: PieceTokens): Generator<Sample, void, undefined> {
    const { tokenizer, seqLen, chunking } = this.options;
    if (this.#saelens !== null) {
      for (const context of this.#saelens.push(ids))
        yield this.#sample(context, { truncated: 0, counted: undefined });
      return;
    }
    if (chunking !== 'packed') {
      const kept =
        ids.length <= seqLen
          ? ids
          : isRendered
            ? ids.slice(0, seqLen)
            : tokenizer.truncate(ids, seqLen);
      yield this.#sample(kept, { truncated: ids.length - kept.length, counted });
      return;
    }
    let from = 0;
    while (this.#open.length + ids.length - from >= seqLen) {
      const to = from + seqLen - this.#open.length;
      this.#hold(ids, { from, to, counted });
      yield* this.end();
      from = to;
    }
    this.#hold(ids, { from, to: ids.length, counted });
  }

  #hold(
    ids: readonly number[],
    { from, to, counted }: { from: number; to: number; counted: Uint8Array | undefined },
  ): void {
    for (const id of ids.slice(from, to)) this.#open.push(id);
    if (counted !== undefined)
      for (const flag of counted.subarray(from, to)) this.#openCounted.push(flag);
  }

  /** Short last sample, if there is one (`packed` only). */
  *end(): Generator<Sample, void, undefined> {
    const [ids, flags] = [this.#open, this.#openCounted];
    [this.#open, this.#openCounted] = [[], []];
    const counted = flags.length === 0 ? undefined : Uint8Array.from(flags);
    if (ids.length > 0) yield this.#sample(ids, { truncated: 0, counted });
  }

  #sample(
    ids: readonly number[],
    { truncated, counted }: { truncated: number; counted: Uint8Array | undefined },
  ): Sample {
    const padded = new Int32Array(this.options.seqLen).fill(this.options.padId);
    padded.set(ids);
    const sample = { ids: padded, length: ids.length, truncated };
    if (counted === undefined) return sample;
    return { ...sample, out: Uint8Array.from(padded, (_, at) => Number(counted[at] !== 1)) };
  }
}
