/** Values of a metric's field, as tables show them. */
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
