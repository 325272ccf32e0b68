/** Which SAEs of two runs are compared: those of one label, or those of runs with one SAE each. */
import { SaeEvalError } from '../../errors.js';
import type { RunSums, SaeSums } from './sums-of-run.js';

export interface Pair {
  base: SaeSums;
  other: SaeSums;
}

/**
 * The pairs of two runs. If no label is in both and a run has one SAE, it is compared with every
 * SAE of the other run.
 * @throws SaeEvalError `not-comparable`.
 */
export function pairsOf(base: RunSums, other: RunSums): Pair[] {
  const named = base.saes.flatMap((one) =>
    other.saes.filter(({ label }) => label === one.label).map((two) => ({ base: one, other: two })),
  );
  if (named.length > 0) return named;
  if (base.saes.length === 1 || other.saes.length === 1)
    return base.saes.flatMap((one) => other.saes.map((two) => ({ base: one, other: two })));
  const labels = (run: RunSums): string => run.saes.map(({ label }) => label).join(', ') || 'none';
  throw new SaeEvalError(
    'not-comparable',
    `${base.name} and ${other.name} have no SAE of the same label (${labels(base)}; ` +
      `${labels(other)}). Give saes[].label in their requests.`,
  );
}
