/** The setting of a point of a sweep. Runs in browsers too. */
import type { SaeResult, SweepPoint } from '../schema/index.js';

/** Fields that a point may set; it has one of them. */
export const sweptFields = ['inferK', 'theta', 'prefix'] as const;
export type SweptField = (typeof sweptFields)[number];

/** The field that a point sets. */
export function sweptField(point: Pick<SweepPoint, SweptField>): SweptField {
  return sweptFields.find((field) => point[field] !== undefined) ?? 'theta';
}

/** Whether an SAE was swept over its prefixes. */
export const isOverPrefixes = ({ sweep }: Pick<SaeResult, 'sweep'>): boolean =>
  sweep?.[0]?.prefix !== undefined;

/** A value for each prefix of a sweep, and for the whole SAE if it is none of them. */
export interface PrefixValue<Values> {
  prefix: number;
  values: Values;
  isWhole: boolean;
}

/** The prefixes of an SAE that was swept over them, the whole SAE last. */
export function prefixesOf<S extends Pick<SaeResult, 'sweep' | 'm'>>(
  sae: S,
): PrefixValue<S | SweepPoint>[] {
  const points = (sae.sweep ?? []).flatMap((values) =>
    values.prefix === undefined
      ? []
      : [{ prefix: values.prefix, values, isWhole: values.prefix === sae.m }],
  );
  return sae.m === null || points.length === 0 || points.at(-1)!.isWhole
    ? points
    : [...points, { prefix: sae.m, values: sae, isWhole: true }];
}
