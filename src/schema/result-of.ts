/** Reading results: the SAE of a label, and a value of it as a plain number. */
import type { ReferenceValues, StrictValues } from '../metrics/table.js';
import { didYouMean } from '../nearest-name.js';
import type { EvaluationRecord, EvaluationResult, SaeResult } from './generated/result-types.js';

/**
 * The result of one SAE.
 *
 * @throws Error naming the labels there are, or saying why there is no result.
 */
export function resultOf(from: EvaluationResult | EvaluationRecord, label: string): SaeResult {
  const result = 'results' in from ? from : from.result;
  if (result === null)
    throw new Error(
      `Evaluation ${from.id} (${from.status}) has no result` +
        `${'error' in from && from.error !== null ? `: ${from.error.message}` : '.'}`,
    );
  const labels = result.results.map((sae) => sae.label);
  const found = result.results[labels.indexOf(label)];
  if (found === undefined)
    throw new Error(
      `Evaluation ${from.id} has no SAE labelled '${label}'${didYouMean(label, labels) || ';'} ` +
        `Its labels are ${labels.join(', ')}.`,
    );
  return found;
}

/** Names of the values that are single numbers, or a mean with its interval. */
export type ValueName =
  `reference.${NumbersOf<ReferenceValues>}` | `strict.${NumbersOf<StrictValues>}`;
type NumbersOf<V> = {
  [F in keyof V & string]: V[F] extends number | { mean: number } | null ? F : never;
}[keyof V & string];

/**
 * A value by its name, such as `strict.KLDivPerToken`: the number under `reference`, the mean under
 * `strict`; null if the SAE does not have it (its `notes` say why) or failed (`error`).
 */
export function valueOf(sae: SaeResult, name: ValueName): number | null {
  const [protocol, field] = name.split('.') as ['reference' | 'strict', string];
  const values = sae[protocol] as Record<string, number | { mean: number } | null> | null;
  const value = values?.[field] ?? null;
  return typeof value === 'object' ? (value?.mean ?? null) : value;
}
