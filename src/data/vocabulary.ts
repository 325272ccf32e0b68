/**
 * Token ids that the model's embedding does not have: a tokenizer may have more tokens than the
 * embedding has rows, and files of token ids may be those of another tokenizer.
 */
import { SaeEvalError } from '../errors.js';
import type { Tokenizer } from '../lm/tokenizer.js';
import type { Bilingual } from '../schema/index.js';

/**
 * Id that fills samples: the tokenizer's pad token, or, if the model's embedding does not have it,
 * the end of sequence, as if there were no pad token.
 */
function padWithin({ padIds, vocabulary }: Tokenizer, rows: number): number {
  const found = padIds.find((id) => id < rows);
  if (found !== undefined) return found;
  throw new SaeEvalError(
    'tokenizer-invalid',
    `The tokenizer has ${vocabulary} tokens, the model's embedding ${rows} rows: expected a pad ` +
      `or end-of-sequence token among them, found the ids ${padIds.join(', ')}. Give the model ` +
      'its own tokenizer.',
  );
}

export class Vocabulary {
  /** Id that fills samples. The embedding has it. */
  readonly padId: number;

  /**
   * @param tokenizer the tokenizer of the model.
   * @param rows number of rows of the model's embedding.
   * @throws SaeEvalError `tokenizer-invalid` if the embedding has no token to pad with.
   */
  constructor(
    readonly tokenizer: Tokenizer,
    private readonly rows: number,
  ) {
    this.padId = padWithin(tokenizer, rows);
  }

  /** The first id that the embedding does not have, with both sizes; null if there is none. */
  outside(ids: readonly number[]): string | null {
    return this.#outside(ids, this.rows);
  }

  /**
   * As {@link outside}, for ids from a file. Ids that the tokenizer does not have are those of
   * another one, even if the embedding has them.
   */
  outsideOfBoth(ids: readonly number[]): string | null {
    return this.#outside(ids, Math.min(this.rows, this.tokenizer.vocabulary));
  }

  /** As {@link outside}, for the tokens of a record's chunks. */
  async outsideIn(chunks: Iterable<string>): Promise<string | null> {
    // Only for a tokenizer with more tokens than rows is a record encoded twice.
    if (this.tokenizer.vocabulary <= this.rows) return null;
    return this.outside((await this.tokenizer.encodeBatch([...chunks])).flat());
  }

  #outside(ids: readonly number[], limit: number): string | null {
    const id = ids.find((each) => each >= limit);
    if (id === undefined) return null;
    const token = this.tokenizer.decode([id]);
    return (
      `id ${id} (tokenizer: ${this.tokenizer.vocabulary} tokens, embedding: ${this.rows} rows)` +
      (token === '' ? '' : `: ${token}`)
    );
  }

  /** A sentence about the pad token, if another one fills the samples. */
  warnings(): Bilingual[] {
    const { padId } = this.tokenizer;
    if (padId === this.padId) return [];
    return [
      {
        en:
          `The pad token (id ${padId}) is not in the model's embedding of ${this.rows} rows: ` +
          `id ${this.padId} fills the samples.`,
        zh:
          `填充词元（编号 ${padId}）不在模型的嵌入中（共 ${this.rows} 行）：` +
          `改用编号 ${this.padId} 填充样本。`,
      },
    ];
  }
}
