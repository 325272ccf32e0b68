/**
 * Contexts as SAELens makes them: records without special tokens, joined; BOS at the head of each
 * context and between records, unless the next token is one; exactly `seqLen` tokens, and the tail
 * is dropped.
 */
import { SaeEvalError } from '../errors.js';
import type { Tokenizer } from '../lm/tokenizer.js';
import type { PrependBos } from './bos.js';

export class SaelensPacking {
  readonly #bos: number;
  readonly #hasHead: boolean;
  readonly #seqLen: number;
  /** Tokens of the context that is not full yet. */
  #open: number[] = [];

  /**
   * @param prependBos whether contexts begin with BOS; default true. Between records there is one
   *   in any case.
   * @throws SaeEvalError `request-invalid` if the tokenizer has neither BOS nor EOS.
   */
  constructor(
    { bosId, namedIds }: Pick<Tokenizer, 'bosId' | 'namedIds'>,
    { seqLen, prependBos }: { seqLen: number; prependBos: PrependBos },
  ) {
    const bos = bosId ?? namedIds.get('eos_token');
    if (bos === undefined) {
      const message =
        'saelens puts BOS between records: expected a tokenizer with a BOS or EOS token, found ' +
        'one without: use packed';
      throw new SaeEvalError('request-invalid', `dataset.chunking: ${message}`, {
        fields: [{ path: 'dataset.chunking', message }],
      });
    }
    this.#bos = bos;
    this.#hasHead = prependBos !== false;
    this.#seqLen = seqLen;
  }

  /** Contexts that the ids of one record complete. */
  *push(ids: readonly number[]): Generator<number[], void, undefined> {
    for (let from = 0; from < ids.length;) {
      // A record goes on only where a context begins: it fills the one before to its end.
      const needsBos = this.#open.length > 0 || this.#hasHead;
      if (needsBos && ids[from] !== this.#bos) this.#open.push(this.#bos);
      const to = from + this.#seqLen - this.#open.length;
      for (const id of ids.slice(from, to)) this.#open.push(id);
      from = Math.min(to, ids.length);
      if (this.#open.length < this.#seqLen) continue;
      const context = this.#open;
      this.#open = [];
      yield context;
    }
  }
}
