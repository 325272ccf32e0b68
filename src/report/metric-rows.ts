/** The rows of the main tables: which metric, in which direction better, how its value is found. */
import type { Estimate, ReferenceValues, SaeResult, StrictValues } from '../schema/index.js';

export type Better = 'lower' | 'higher' | 'neither';

export interface MetricRow<Value> {
  field: string;
  better: Better;
  value(result: SaeResult): Value | null;
}

const reference = (
  field: Exclude<keyof ReferenceValues, 'RoutedPositions'>,
  better: Better,
): MetricRow<number> => ({
  field,
  better,
  value: (result) => result.reference?.[field] ?? null,
});

const strict = (
  field: {
    [K in keyof StrictValues]: StrictValues[K] extends Estimate | null ? K : never;
  }[keyof StrictValues],
  better: Better,
): MetricRow<Estimate> => ({
  field,
  better,
  value: (result) => result.strict?.[field] ?? null,
});

export const referenceRows: readonly MetricRow<number>[] = [
  reference('NormMSE', 'lower'),
  reference('KLDiv', 'lower'),
  reference('DeltaCE', 'lower'),
  reference('Recovered', 'higher'),
];

export const strictRows: readonly MetricRow<Estimate>[] = [
  strict('NormMSE', 'lower'),
  strict('KLDivPerToken', 'lower'),
  strict('KLDivPerSequence', 'lower'),
  strict('DeltaCE', 'lower'),
  strict('Recovered', 'higher'),
  strict('ExplainedVariance', 'higher'),
  strict('CosineSimilarity', 'higher'),
  strict('L0', 'neither'),
  strict('L0OverHidden', 'neither'),
  strict('DeadLatents', 'lower'),
  strict('NormRatio', 'neither'),
];

export const arrow: Record<Better, string> = { lower: ' ↓', higher: ' ↑', neither: '' };

/** Which of the values is the best: indices, several on a tie. */
export function bestOf(values: readonly (number | null)[], better: Better): Set<number> {
  const present = values.flatMap((value, index) => (value === null ? [] : [{ value, index }]));
  if (better === 'neither' || present.length < 2) return new Set();
  const best = present.reduce((a, b) =>
    (better === 'lower' ? b.value < a.value : b.value > a.value) ? b : a,
  ).value;
  return new Set(present.filter(({ value }) => value === best).map(({ index }) => index));
}
