/** Puts the columns that come from the weights into the tallies of a run. */
import type { Accumulator } from '../../metrics/accumulator.js';
import type { EvaluatedSae } from '../run/prepare.js';
import { weightColumns } from './weight-columns.js';

export async function addWeights(
  accumulator: Accumulator,
  evaluated: readonly Pick<EvaluatedSae, 'sae' | 'variants'>[],
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  for (const { sae, variants } of evaluated) {
    const tally = accumulator.tallies.get(variants[0]?.owner ?? '');
    if (sae !== null && tally !== undefined) tally.weights = await weightColumns(sae, options);
  }
}
