/** Rows of tables: the values of a metric's field, and the best of them. */
import type { Better, Field } from '../metrics/metric.js';
import { fieldNamed } from '../metrics/table.js';
import type { Estimate, PerLayer, SaeResult, SweepPoint } from '../schema/index.js';
import type { Words } from './language/words.js';

/** A field's value in a result, in a layer or in a point of a sweep. */
export function valueOf(
  { reference, strict }: SaeResult | PerLayer | SweepPoint,
  { protocol, field }: Pick<Field, 'protocol' | 'field'>,
): unknown {
  const values = { reference, strict }[protocol] as Record<string, unknown> | null;
  return values?.[field] ?? null;
}

/** A field's value as an estimate; numbers get no interval. */
export function estimateOf(
  from: SaeResult | PerLayer | SweepPoint,
  field: Pick<Field, 'protocol' | 'field'>,
): Estimate | null {
  const value = valueOf(from, field);
  return typeof value === 'number' ? { mean: value } : (value as Estimate | null);
}

/** Name of a field in the report's language. */
export function nameOf(field: string, { lang }: Words): string {
  return fieldNamed(field)?.name[lang] ?? field;
}

export const arrow: Record<Better, string> = { lower: ' ↓', higher: ' ↑', neither: '' };

/** Indices of the best values, several on a tie. */
export function bestOf(values: readonly (number | null)[], better: Better): Set<number> {
  const present = values.flatMap((value, index) => (value === null ? [] : [{ value, index }]));
  if (better === 'neither' || present.length < 2) return new Set();
  const best = present.reduce((a, b) =>
    (better === 'lower' ? b.value < a.value : b.value > a.value) ? b : a,
  ).value;
  return new Set(present.filter(({ value }) => value === best).map(({ index }) => index));
}
