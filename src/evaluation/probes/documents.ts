/** Labelled texts as token ids, in the way a run's text becomes tokens. */
import type { Sample } from '../../data/index.js';
import { bosSetter } from '../../data/bos.js';
import type { LabelledTexts } from '../../data/labelled.js';
import type { Tokenizer } from '../../lm/index.js';

/** Texts that are tokenized at once. */
const atOnce = 256;

export interface TokenizedDocuments {
  samples: Sample[];
  labels: number[];
  /** Second label of each; 0 without one. */
  spurious: number[];
  /** Documents without a token that counts. */
  skipped: number;
}

export interface DocumentOptions {
  tokenizer: Tokenizer;
  /** Number of rows of the model's embedding. */
  vocabulary: number;
  seqLen: number;
  /** BOS at the head of each text; undefined: the tokenizer's own way. */
  prependBos: boolean | undefined;
}

/** The first `seqLen` tokens of each document; those of special tokens alone are left out. */
export async function tokenizeDocuments(
  { documents }: LabelledTexts,
  { tokenizer, vocabulary, seqLen, prependBos }: DocumentOptions,
): Promise<TokenizedDocuments> {
  const withBos = bosSetter(tokenizer, prependBos);
  const samples: Sample[] = [];
  const labels: number[] = [];
  const spurious: number[] = [];
  let skipped = 0;
  for (let from = 0; from < documents.length; from += atOnce) {
    const some = documents.slice(from, from + atOnce);
    const encoded = await tokenizer.encodeBatch(some.map(({ text }) => text));
    encoded.forEach((found, n) => {
      const all = withBos({ ids: found }).ids;
      const ids = tokenizer.truncate(all, seqLen);
      const counts = ids.some((id) => !tokenizer.specialIds.has(id));
      if (!counts || ids.some((id) => id >= vocabulary)) {
        skipped++;
        return;
      }
      const padded = new Int32Array(seqLen).fill(tokenizer.padId);
      padded.set(ids);
      samples.push({ ids: padded, length: ids.length, truncated: all.length - ids.length });
      labels.push(some[n]!.label);
      spurious.push(some[n]!.spurious);
    });
  }
  return { samples, labels, spurious, skipped };
}
