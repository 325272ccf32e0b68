/**
 * The values of a row that are marked as the best. Runs in browsers too: the page marks by the same
 * rule as the reports.
 *
 * A near-identity is never marked, nor the baseline, nor an SAE that the baseline beats. Errors are
 * marked only among SAEs that are measured in one space, and values of `strict` only among SAEs
 * that count the same positions. SAEs that the paired interval of their difference to the best
 * cannot tell from it share the mark.
 */
import type { Field } from '../metrics/metric.js';
import type { Comparison, Estimate, Finding, SaeResult } from '../schema/index.js';

/** An SAE in a row, with what its run says of it. */
export interface Entry {
  sae: Pick<
    SaeResult,
    'label' | 'kind' | 'error' | 'reference' | 'strict' | 'normalization' | 'positions'
  >;
  run: { comparisons: readonly Comparison[]; findings: readonly Finding[] };
}

type RankedField = Pick<Field, 'protocol' | 'field' | 'better' | 'inInputSpace'>;

/** Whether a finding of the run says that the SAE is close to an identity. */
export const isNearIdentity = ({ sae, run }: Entry): boolean =>
  run.findings.some(({ code, sae: label }) => code === 'near-identity' && label === sae.label);

function valueIn({ sae }: Entry, { protocol, field }: RankedField): Estimate | null {
  const values = sae[protocol] as Record<string, unknown> | null;
  const value = values?.[field] ?? null;
  return typeof value === 'number' ? { mean: value } : (value as Estimate | null);
}

/** Whether the interval of a difference contains 0; false without an interval. */
export const containsZero = ({ ci95 }: Pick<Comparison, 'ci95'>): boolean =>
  ci95 !== null && ci95[0] <= 0 && ci95[1] >= 0;

/** Whether the values of a pair cannot be told apart: by its paired interval, else by their own. */
function isOpen(
  [a, b]: readonly [Ranked, Ranked],
  { protocol, field }: Pick<Field, 'protocol' | 'field'>,
): boolean {
  if (a.value.mean === b.value.mean) return true;
  if (protocol === 'reference') return false;
  const paired =
    a.entry.run === b.entry.run
      ? a.entry.run.comparisons.find(
          (one) =>
            one.metric === field &&
            [one.a, one.b].includes(a.entry.sae.label) &&
            [one.a, one.b].includes(b.entry.sae.label),
        )
      : undefined;
  if (paired?.ci95) return containsZero(paired);
  const [first, second] = [a.value.ci95, b.value.ci95];
  // A share of the latents, say, has no interval: its values are as they are.
  if (first === undefined && second === undefined) return false;
  if (!first || !second) return true;
  return first[0] <= second[1] && second[0] <= first[1];
}

interface Ranked {
  index: number;
  entry: Entry;
  value: Estimate;
}

const differ = (values: readonly (string | undefined)[]): boolean => new Set(values).size > 1;

/** Indices of the entries whose value of `field` is marked. */
export function bestOf(entries: readonly Entry[], field: RankedField): Set<number> {
  const { better } = field;
  const present = entries.flatMap((entry, index): Ranked[] => {
    const value = entry.sae.error === null ? valueIn(entry, field) : null;
    return value === null ? [] : [{ index, entry, value }];
  });
  if (better === 'neither' || present.length < 2) return new Set();
  const saes = present.map(({ entry: { sae } }) => sae);
  if (field.inInputSpace === true && differ(saes.map(({ normalization }) => normalization)))
    return new Set();
  if (
    field.protocol === 'strict' &&
    differ(saes.map(({ positions }) => JSON.stringify(positions?.exclude ?? [])))
  )
    return new Set();
  const isBetter = (a: number, b: number): boolean => (better === 'lower' ? a < b : a > b);
  const [baselines, others] = [true, false].map((isBaseline) =>
    present.filter(({ entry: { sae } }) => (sae.kind === 'RandomK') === isBaseline),
  ) as [Ranked[], Ranked[]];
  const candidates = (others.length === 0 ? baselines : others).filter(
    ({ entry, value }) =>
      !isNearIdentity(entry) &&
      (others.length === 0 || !baselines.some((one) => isBetter(one.value.mean, value.mean))),
  );
  if (candidates.length === 0) return new Set();
  const best = candidates.reduce((a, b) => (isBetter(b.value.mean, a.value.mean) ? b : a));
  return new Set(
    candidates
      .filter((one) => one === best || isOpen([best, one], field))
      .map(({ index }) => index),
  );
}
