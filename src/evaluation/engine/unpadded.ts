/**
 * Unpadded micro-batches: the sequences lie one after the other in one row, so that no block, SAE
 * or head computes padding. Attention and the sums of a sequence know its bounds.
 */
import type { LanguageModel } from '../../lm/index.js';

/** Whether nothing needs padded positions, or a row for each sequence. */
export function canUnpad(
  model: LanguageModel,
  {
    readers,
    countsPadding,
  }: { readers: readonly { readonly looksBack?: boolean }[]; countsPadding: boolean },
): boolean {
  return (
    model.takesUnpadded && !countsPadding && !readers.some(({ looksBack }) => looksBack === true)
  );
}
