/** The token ids of a micro-batch in rows: one for each sequence, or one for all of them. */
import type { Sample } from '../../data/index.js';
import type { AttentionContext, LanguageModel } from '../../lm/index.js';
import { fromTypedArray, type Tensor } from '../../torch/index.js';

export interface MicroBatchRows {
  ids: Tensor; // [B, T]
  B: number;
  T: number;
  /** Whether the sequences lie one after the other in one row. */
  isUnpadded: boolean;
  /** The caller disposes of it. */
  context: AttentionContext;
}

/**
 * Lays sequences out in rows.
 * @param canUnpad whether one row may hold them all; it does if their lengths differ.
 * @param countsPadding whether padded positions count. Else columns without a real token are left
 *   out, since real positions never see padding.
 */
export function rowsOf(
  samples: readonly Sample[],
  {
    model,
    canUnpad,
    countsPadding,
  }: { model: LanguageModel; canUnpad: boolean; countsPadding: boolean },
): MicroBatchRows {
  const lengths = samples.map(({ length }) => length);
  const seqLen = samples[0]!.ids.length;
  const isUnpadded = canUnpad && lengths.some((length) => length !== lengths[0]);
  const extent = countsPadding ? seqLen : Math.max(...lengths);
  const tokens = samples.flatMap(({ ids, length }) =>
    Array.from(ids.subarray(0, isUnpadded ? length : extent), BigInt),
  );
  const [B, T] = isUnpadded ? [1, tokens.length] : [samples.length, extent];
  const ids = fromTypedArray(BigInt64Array.from(tokens), [B, T], { device: model.device });
  const context = model.context(lengths, T, { seqLen, paddedQueries: countsPadding, isUnpadded });
  return { ids, B, T, isUnpadded, context };
}
