/**
 * From accumulated sums to the values of a result: under each protocol, of each layer, with
 * intervals and paired differences.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import { allPositions, slotKey } from '../../metrics/keys.js';
import type { Better, Metric, Protocol, ScalarField } from '../../metrics/metric.js';
import {
  metrics,
  metricsNamed,
  readsSplices,
  scalarFieldsOf,
  type Table,
} from '../../metrics/table.js';
import type { ShapeValues } from '../../metrics/value.js';
import {
  allPairsUpTo,
  type Comparison,
  type MetricName,
  type PerLayer,
  type ReferenceValues,
  type StrictValues,
} from '../../schema/index.js';
import type { Slot } from '../engine/strategies/strategy.js';
import { percentileInterval } from './percentile-interval.js';
import { SequencePart, splicedSequences } from './sequence-part.js';
import type { View } from './sums.js';

/** An SAE variant whose values are wanted. */
export interface Subject {
  owner: string;
  width: number;
  slots: Readonly<Record<Protocol, readonly Slot[]>>;
  /** Key of the positions that count under `strict`; default all. */
  positions?: string;
}

export interface AssemblyOptions {
  seed: number;
  /** Whether the bootstrap runs; without it, values have no interval. */
  intervals: boolean;
  subjects: readonly Subject[];
  /** Number of sequences above which batches are resampled; default 200,000. */
  batchesAbove?: number | undefined;
  /** The metrics there are; default all. */
  table?: Table;
}

type Values = Record<string, ShapeValues[keyof ShapeValues] | null>;

/** Reads values out of an accumulator. */
export class Assembly {
  readonly #table: Table;
  readonly #asked: Table;
  readonly #all: SequencePart;
  /** The part of the metrics that read spliced passes. */
  readonly #spliced: SequencePart;
  readonly #accumulator: Accumulator;

  constructor(
    accumulator: Accumulator,
    asked: readonly MetricName[] | readonly string[],
    { table = metrics, ...options }: AssemblyOptions,
  ) {
    this.#table = table;
    this.#asked = metricsNamed(asked, table);
    this.#accumulator = accumulator;
    const partOf = (over: Accumulator, own: Table): SequencePart =>
      new SequencePart({ ...options, accumulator: over, metrics: own });
    const spliced = splicedSequences(accumulator);
    if (spliced >= accumulator.sequences) {
      this.#all = partOf(accumulator, this.#asked);
      this.#spliced = this.#all;
      return;
    }
    const measured = this.#asked.filter((metric) => !readsSplices(metric));
    this.#all = partOf(accumulator, measured);
    this.#spliced = partOf(accumulator.first(spliced), this.#asked.filter(readsSplices));
  }

  #partOf(metric: Metric): SequencePart {
    return readsSplices(metric) ? this.#spliced : this.#all;
  }

  #view(
    { owner, width, slots, positions = allPositions }: Subject,
    protocol: Protocol,
    slot?: number,
  ): View {
    return {
      owner,
      width,
      protocol,
      positions,
      slots: slot === undefined ? slots[protocol].map((_, index) => index) : [slot],
    };
  }

  /** The values of all fields, or of those that each layer has; null if not asked for. */
  #values(view: View, { perLayer = false }: { perLayer?: boolean } = {}): Values {
    const values: Values = {};
    for (const metric of this.#table) {
      const asked = this.#asked.includes(metric);
      const part = this.#partOf(metric);
      for (const field of metric.fields) {
        if (field.protocol !== view.protocol || (perLayer && field.perLayer !== true)) continue;
        const isPossible = asked && this.#isThere(view, metric);
        if (field.optional === true && !isPossible) continue;
        if (!asked) values[field.field] = null;
        else if (field.shape === 'number')
          values[field.field] = part.overBatches(view, field.value);
        else if (field.shape === 'estimate') values[field.field] = part.estimate(view, field);
        else values[field.field] = field.value(part.sums(view));
      }
    }
    return values;
  }

  /** Whether the columns of a metric were collected for an SAE. */
  #isThere({ owner, protocol, slots }: View, { columns = [] }: Metric): boolean {
    return columns.every(({ name }) =>
      slots.every(
        (slot) => this.#accumulator.column(slotKey({ owner, protocol, slot }, name)) !== null,
      ),
    );
  }

  reference(subject: Subject): ReferenceValues {
    return this.#values(this.#view(subject, 'reference')) as ReferenceValues;
  }

  strict(subject: Subject): StrictValues {
    return this.#values(this.#view(subject, 'strict')) as StrictValues;
  }

  /** Values of each layer, for kinds that measure several layers one by one. */
  perLayer(subject: Subject, protocols: readonly Protocol[]): PerLayer[] {
    const of = <P extends Protocol>(protocol: P, slot: number): PerLayer[P] =>
      protocols.includes(protocol) && subject.slots[protocol].length > 0
        ? ({
            ...this.#values(this.#view(subject, protocol, slot), { perLayer: true }),
            splicedAt: subject.slots[protocol][slot]!.splicedAt,
          } as PerLayer[P])
        : null;
    return subject.slots.strict.map(({ layer }, slot): PerLayer => ({
      layer: layer!,
      reference: of('reference', slot),
      strict: of('strict', slot),
    }));
  }

  /**
   * Differences of pairs that count the same positions (the later minus the earlier), on the same
   * resamples: of every pair, or, of many SAEs, of those with the first one, with the best one,
   * with the best one that is no near-identity, and with the baselines.
   */
  comparisons(subjects: readonly Compared[]): Comparison[] {
    const compared = this.#asked.flatMap((metric) =>
      scalarFieldsOf('strict', [metric])
        .filter(({ compared: has }) => has === true)
        .map((field) => ({ ...field, part: this.#partOf(metric) })),
    );
    return compared.flatMap(({ field, better, value: formula, part }): Comparison[] => {
      const values = subjects.flatMap((subject) => {
        const view = this.#view(subject, 'strict');
        const mean = formula(part.sums(view));
        return mean === null
          ? []
          : [{ ...subject, mean, resampled: part.resampledValues(view, formula) }];
      });
      const groups = new Map<string | undefined, typeof values>();
      for (const one of values)
        groups.set(one.positions, [...(groups.get(one.positions) ?? []), one]);
      return [...groups.values()]
        .flatMap((group) => pairsOf(group, better))
        .map(([a, b]): Comparison => ({
          metric: field,
          a: a.label,
          b: b.label,
          ...numbersOf(a, b),
        }));
    });
  }

  /**
   * Differences of given pairs (the first minus the second) in every number of `strict` that both
   * have, on the same resamples.
   */
  differences(pairs: readonly (readonly [Compared, Compared])[]): PairedDifference[] {
    return this.#asked.flatMap((metric) => {
      const part = this.#partOf(metric);
      const valueOf = (subject: Compared, { value: formula, interval }: ScalarField) => {
        const view = this.#view(subject, 'strict');
        const mean = this.#isThere(view, metric) ? formula(part.sums(view)) : null;
        const resampled = interval === true ? part.resampledValues(view, formula) : null;
        return mean === null ? null : { ...subject, mean, resampled };
      };
      return scalarFieldsOf('strict', [metric]).flatMap((field) =>
        pairs.flatMap(([first, second]): PairedDifference[] => {
          const a = valueOf(first, field);
          const b = valueOf(second, field);
          return a === null || b === null ? [] : [{ field, a, b, ...numbersOf(a, b) }];
        }),
      );
    });
  }
}

/** A difference of two subjects in a number. */
export interface PairedDifference extends Pick<
  Comparison,
  'difference' | 'ci95' | 'ratio' | 'ratioCi95'
> {
  field: ScalarField;
  a: { label: string; mean: number };
  b: { label: string; mean: number };
}

function numbersOf(
  a: Value,
  b: Value,
): Pick<Comparison, 'difference' | 'ci95' | 'ratio' | 'ratioCi95'> {
  return {
    difference: a.mean - b.mean,
    ci95: paired(a.resampled, b.resampled, (one, other) => one - other),
    ...ratioOf(a, b),
  };
}

/** An SAE whose values are compared in pairs. */
export interface Compared extends Subject {
  label: string;
  /** Whether it is the baseline that every SAE is compared with. */
  isBaseline?: boolean;
  /** Whether it is close to an identity, so that it cannot be the best. */
  isNearIdentity?: boolean;
}

interface Value extends Compared {
  mean: number;
  resampled: Float64Array | null;
}

/** Interval of a function of two values on the same resamples; null without resamples. */
function paired(
  a: Float64Array | null,
  b: Float64Array | null,
  value: (a: number, b: number) => number,
): [number, number] | null {
  return a === null || b === null
    ? null
    : percentileInterval(a.map((one, row) => value(one, b[row]!)));
}

/** The ratio of two means above 0, with its interval if every resample is above 0 too. */
function ratioOf(a: Value, b: Value): Pick<Comparison, 'ratio' | 'ratioCi95'> {
  if (a.mean <= 0 || b.mean <= 0) return {};
  const ratio = a.mean / b.mean;
  const isAbove0 = [a, b].every(({ resampled }) => resampled?.every((value) => value > 0) ?? false);
  return isAbove0
    ? { ratio, ratioCi95: paired(a.resampled, b.resampled, (one, other) => one / other)! }
    : { ratio };
}

/** Pairs that are compared, the later first. */
function pairsOf(values: readonly Value[], better: Better): [Value, Value][] {
  const sign = better === 'lower' ? 1 : -1;
  const bestAmong = (indices: readonly number[]): number | undefined =>
    better === 'neither'
      ? undefined
      : indices.toSorted((i, j) => sign * (values[i]!.mean - values[j]!.mean) || i - j)[0];
  const all = [...values.keys()];
  const pivots = new Set([
    0,
    bestAmong(all),
    bestAmong(all.filter((i) => values[i]!.isNearIdentity !== true)),
    ...all.filter((i) => values[i]!.isBaseline === true),
  ]);
  const isCompared = (later: number, earlier: number): boolean =>
    values.length <= allPairsUpTo || pivots.has(later) || pivots.has(earlier);
  return values.flatMap((a, later) =>
    values
      .slice(0, later)
      .flatMap((b, earlier): [Value, Value][] => (isCompared(later, earlier) ? [[a, b]] : [])),
  );
}
