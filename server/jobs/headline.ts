/** What a list shows of a result and sorts by, taken from it once, when an evaluation ends. */
import {
  headlineFields,
  headlineSaes,
  type Headline,
  type HeadlineField,
} from '../../src/schema/list.js';
import type { EvaluationResult, SaeResult } from '../../src/schema/result.js';

export interface Listed {
  headline: Headline;
  /** By field: the value of the best SAE. */
  best: ReadonlyMap<string, number>;
}

/** A `strict` value is an object with a mean, a `reference` value a number. */
function valueOf(sae: SaeResult, { protocol, field }: HeadlineField): number | null {
  const value = (sae[protocol] as Record<string, unknown> | null | undefined)?.[field];
  const number =
    typeof value === 'object' && value !== null ? (value as { mean?: unknown }).mean : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

/** Null if the text is no result. Of a field without a direction the lowest value counts. */
export function listedOf(result: EvaluationResult): Listed | null {
  const saes = (result as Partial<EvaluationResult>).results;
  if (!Array.isArray(saes)) return null;
  const best = new Map<string, number>();
  for (const field of headlineFields) {
    const values = saes.flatMap((sae) => valueOf(sae, field) ?? []);
    if (values.length > 0)
      best.set(field.key, field.better === 'higher' ? Math.max(...values) : Math.min(...values));
  }
  const { seconds } = (result as Partial<EvaluationResult>).timing ?? {};
  return {
    headline: {
      saes: saes.slice(0, headlineSaes).map((sae) => ({
        label: sae.label,
        kind: sae.kind,
        values: Object.fromEntries(
          headlineFields.flatMap((field): [string, number][] => {
            const value = valueOf(sae, field);
            return value === null ? [] : [[field.key, value]];
          }),
        ),
      })),
      more: Math.max(saes.length - headlineSaes, 0),
      seconds: typeof seconds === 'number' ? seconds : null,
    },
    best,
  };
}
