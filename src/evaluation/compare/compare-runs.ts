/**
 * Paired differences between runs on the same text, from their sums. Both sums of a sequence are
 * drawn together, as those of two SAEs of one run are.
 */
import { SaeEvalError } from '../../errors.js';
import { Accumulator } from '../../metrics/accumulator.js';
import { cleanKey, slotKey, vectorKey } from '../../metrics/keys.js';
import type { Better } from '../../metrics/metric.js';
import { metrics as table, metricsNamed, scalarFieldsOf, type Table } from '../../metrics/table.js';
import { didYouMean } from '../../nearest-name.js';
import type { RunComparison, RunDifference, Verdict } from '../../schema/run-comparison.js';
import { Assembly, type Compared } from '../result/assemble.js';
import { checkComparable, positionsDiffer } from './comparable.js';
import { pairsOf, type Pair } from './pairs.js';
import type { RunSums, SaeSums } from './sums-of-run.js';

export interface CompareOptions {
  /** Fields of `strict`, such as `KLDivPerToken`; default all numbers that both runs have. */
  metrics?: readonly string[] | undefined;
}

/** Fields of `strict` that are numbers. */
const known = scalarFieldsOf('strict');

/** @throws SaeEvalError `request-invalid` for a name that is none of a number under `strict`. */
function checkNames(names: readonly string[]): void {
  const all = known.map(({ field }) => field);
  for (const name of names)
    if (!all.includes(name))
      throw new SaeEvalError(
        'request-invalid',
        `metrics: strict has no number '${name}'` +
          (didYouMean(name, all) || `: it has ${all.join(', ')}`),
      );
}

/** The metrics that both runs were asked for. */
function sharedMetrics(base: RunSums, other: RunSums): Table {
  const names = other.request.metrics.filter((name) => base.request.metrics.includes(name));
  return metricsNamed(names, table);
}

const owners = { base: 'base', other: 'other' } as const;

/** Puts an SAE of a run into an accumulator, with the counts of its positions under a key. */
function add(
  into: Accumulator,
  { run, sae, owner, place }: { run: RunSums; sae: SaeSums; owner: string; place: string },
): Compared {
  const key = `${owner}.${place}`;
  const clean = sae.clean.size > 0 ? sae.clean : run.clean;
  for (const name of ['positions', 'nextPositions', 'ceClean'] as const) {
    const column = clean.get(name);
    if (column !== undefined) into.append(cleanKey('strict', name, key), column);
  }
  for (const [name, values] of sae.columns) {
    const [slot, column] = name.split('/') as [string, string];
    into.append(slotKey({ owner: key, protocol: 'strict', slot: Number(slot) }, column), values);
  }
  for (const [name, values] of sae.vectors) into.add(vectorKey(key, 'strict', name), values);
  return {
    owner: key,
    label: sae.label,
    width: sae.width ?? 0,
    slots: { reference: [], strict: sae.slots },
    positions: key,
  };
}

/** How a difference (other − base) is to be read. */
export function verdictOf(ci95: readonly [number, number] | null, better: Better): Verdict {
  if (ci95 === null || better === 'neither') return 'unknown';
  const [low, high] = ci95;
  if (low <= 0 && high >= 0) return 'undecided';
  return high < 0 === (better === 'lower') ? 'better' : 'worse';
}

/**
 * Differences of other runs from a base.
 * @throws SaeEvalError `not-comparable` naming what differs, `request-invalid`.
 */
export function compareRuns(
  base: RunSums,
  others: readonly RunSums[],
  { metrics: wanted }: CompareOptions = {},
): RunComparison {
  checkNames(wanted ?? []);
  for (const other of others) checkComparable(base, other);
  return {
    base: { id: base.id, name: base.name },
    sequences: base.length.length,
    runs: others.map((other) => {
      const left: { sae: string; reason: string }[] = [];
      const pairs = pairsOf(base, other).filter(({ base: one, other: two }) => {
        const reason = positionsDiffer({ run: base, sae: one }, { run: other, sae: two });
        if (reason !== null) left.push({ sae: two.label, reason });
        return reason === null;
      });
      if (pairs.length === 0)
        throw new SaeEvalError(
          'not-comparable',
          `${base.name} and ${other.name} cannot be compared in pairs: ${left[0]!.sae}: ` +
            `${left[0]!.reason}.`,
        );
      return {
        id: other.id,
        name: other.name,
        differences: differences({ base, other, pairs, wanted }),
        left,
      };
    }),
  };
}

function differences({
  base,
  other,
  pairs,
  wanted,
}: {
  base: RunSums;
  other: RunSums;
  pairs: readonly Pair[];
  wanted: readonly string[] | undefined;
}): RunDifference[] {
  const joined = new Accumulator();
  // The columns of all sequences tell how many were spliced.
  for (const name of ['positions', 'nextPositions', 'ceClean'] as const) {
    const column = base.clean.get(name);
    if (column !== undefined) joined.append(cleanKey('strict', name), column);
  }
  const compared = pairs.map((pair, index): [Compared, Compared] => {
    const place = String(index);
    const one = add(joined, { run: base, sae: pair.base, owner: owners.base, place });
    const two = add(joined, { run: other, sae: pair.other, owner: owners.other, place });
    const width = Math.max(one.width, two.width);
    return [
      { ...two, width },
      { ...one, width },
    ];
  });
  for (const size of base.batches) joined.endBatch(size);
  const assembly = new Assembly(
    joined,
    sharedMetrics(base, other).map(({ name }) => name),
    { seed: base.request.seed, intervals: true, subjects: compared.flat() },
  );
  return assembly
    .differences(compared)
    .filter(({ field }) => wanted?.includes(field.field) ?? true)
    .map(({ field, a, b, ...numbers }): RunDifference => ({
      metric: field.field,
      sae: b.label,
      otherSae: a.label,
      base: b.mean,
      other: a.mean,
      ...numbers,
      verdict: verdictOf(numbers.ci95, field.better),
    }));
}
