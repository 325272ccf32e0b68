/**
 * Unpadded micro-batches: the sequences lie one after the other in one row, so that no block, SAE
 * or head computes padding. Attention and the sums of a sequence know its bounds.
 */
import type { LanguageModel } from '../../lm/index.js';
import type { Strategy, Wanted } from './strategies/strategy.js';

/** Whether nothing in a run needs padded positions, or a row for each sequence. */
export function canUnpad({
  model,
  strategies,
  wanted,
}: {
  model: LanguageModel;
  strategies: readonly Strategy[];
  wanted: Wanted;
}): boolean {
  return (
    model.takesUnpadded &&
    // `reference` counts padded positions.
    !wanted.protocols.has('reference') &&
    !strategies.some(({ looksBack }) => looksBack === true)
  );
}
