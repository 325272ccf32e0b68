/**
 * From accumulated sums to the values of a result: per protocol, per layer, with intervals and
 * paired differences.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import { fewestSequences, percentileInterval, resample, type Resampled } from './bootstrap.js';
import { histogramOf } from '../../metrics/density-histogram.js';
import {
  slotColumns,
  type EstimateField,
  type Formula,
  type Metric,
  type Protocol,
  type ReferenceField,
  type Sums,
} from '../../metrics/metric.js';
import { metricsNamed } from '../../metrics/registry.js';
import { shares } from '../../metrics/routing-share.js';
import { cleanKey, slotKey, vectorKey } from '../engine/collector.js';
import type {
  Comparison,
  Estimate,
  MetricName,
  PerLayer,
  ReferenceValues,
  StrictValues,
} from '../../schema/index.js';
import type { Slot } from '../engine/strategies/strategy.js';
import { resampledSums, sumsOver, type ColumnPlaces, type View } from './sums.js';

/** What is known of an SAE variant whose values are wanted. */
export interface Subject {
  owner: string;
  width: number;
  slots: Readonly<Record<Protocol, readonly Slot[]>>;
}

const emptyReference: ReferenceValues = {
  NormMSE: null,
  KLDiv: null,
  DeltaCE: null,
  Recovered: null,
  RoutedPositions: null,
};
const emptyStrict: StrictValues = {
  NormMSE: null,
  KLDivPerToken: null,
  KLDivPerSequence: null,
  DeltaCE: null,
  Recovered: null,
  L0: null,
  L0OverHidden: null,
  DeadLatents: null,
  ExplainedVariance: null,
  CosineSimilarity: null,
  NormRatio: null,
  RoutingShare: null,
  DensityHistogram: null,
};
/** Metrics whose differences between SAEs are given. */
const compared: readonly EstimateField[] = [
  'NormMSE',
  'KLDivPerToken',
  'KLDivPerSequence',
  'DeltaCE',
  'Recovered',
];

/**
 * Reads values out of an accumulator. `intervals: false` leaves the bootstrap out, for numbers as
 * they stand.
 */
export class Assembly {
  readonly #metrics: Metric[];
  readonly #resampled: { sums: Resampled; places: ColumnPlaces } | null;

  constructor(
    private readonly accumulator: Accumulator,
    private readonly asked: readonly MetricName[],
    {
      seed,
      intervals,
      subjects,
    }: { seed: number; intervals: boolean; subjects: readonly Subject[] },
  ) {
    this.#metrics = metricsNamed(asked);
    this.#resampled =
      intervals && accumulator.sequences >= fewestSequences ? this.#resample(seed, subjects) : null;
  }

  #resample(seed: number, subjects: readonly Subject[]): { sums: Resampled; places: ColumnPlaces } {
    const names = [
      cleanKey('strict', 'positions'),
      cleanKey('strict', 'nextPositions'),
      cleanKey('strict', 'ceClean'),
    ];
    for (const { owner, slots } of subjects) {
      slots.strict.forEach((_, slot) =>
        names.push(
          ...slotColumns.map((column) => slotKey({ owner, protocol: 'strict', slot }, column)),
        ),
      );
    }
    const present = names.filter(
      (name) => this.accumulator.column(name)?.length === this.accumulator.sequences,
    );
    return {
      sums: resample(
        present.map((name) => this.accumulator.column(name)!),
        seed,
      ),
      places: new Map(present.map((name, place) => [name, place])),
    };
  }

  #view({ owner, width, slots }: Subject, protocol: Protocol, slot?: number): View {
    return {
      owner,
      width,
      protocol,
      slots: slot === undefined ? slots[protocol].map((_, index) => index) : [slot],
    };
  }

  /** `reference`: the plain mean of the batches' values. */
  #overBatches(view: View, formula: Formula): number | null {
    let total = 0;
    let from = 0;
    for (const size of this.accumulator.batchSizes) {
      const value = formula(sumsOver(this.accumulator, view, { from, to: from + size }));
      if (value === null) return null;
      total += value;
      from += size;
    }
    return this.accumulator.batchSizes.length === 0
      ? null
      : total / this.accumulator.batchSizes.length;
  }

  /** A formula on every resample. */
  #resampledValues(view: View, formula: Formula): Float64Array | null {
    if (this.#resampled === null) return null;
    const { sums, places } = this.#resampled;
    let row = 0;
    const read: Sums = resampledSums(sums, places, this.accumulator.sequences, view, () => row);
    const values = new Float64Array(sums.rows);
    for (row = 0; row < sums.rows; row++) {
      const value = formula(read);
      if (value === null) return null;
      values[row] = value;
    }
    return values;
  }

  #estimate(
    view: View,
    { formula, interval }: { formula: Formula; interval: boolean },
  ): Estimate | null {
    const mean = formula(sumsOver(this.accumulator, view));
    if (mean === null) return null;
    if (!interval) return { mean };
    const values = this.#resampledValues(view, formula);
    return { mean, ci95: values === null ? null : percentileInterval(values) };
  }

  reference(subject: Subject): ReferenceValues {
    const values = { ...emptyReference };
    const view = this.#view(subject, 'reference');
    for (const { reference } of this.#metrics) {
      for (const [field, formula] of Object.entries(reference))
        values[field as ReferenceField] = this.#overBatches(view, formula);
    }
    const routed = this.accumulator.vector(vectorKey(subject.owner, 'reference', 'routed'));
    if (routed !== null && this.asked.includes('RoutingShare'))
      values.RoutedPositions = Array.from(routed);
    return values;
  }

  strict(subject: Subject): StrictValues {
    const values = { ...emptyStrict };
    const view = this.#view(subject, 'strict');
    for (const { strict } of this.#metrics) {
      for (const [field, definition] of Object.entries(strict))
        values[field as EstimateField] = this.#estimate(view, definition);
    }
    const routed = this.accumulator.vector(vectorKey(subject.owner, 'strict', 'routed'));
    if (routed !== null && this.asked.includes('RoutingShare'))
      values.RoutingShare = shares(routed);
    const firing = this.accumulator.vector(vectorKey(subject.owner, 'strict', 'firing'));
    if (firing !== null && this.asked.includes('DensityHistogram')) {
      const sums = sumsOver(this.accumulator, view);
      const encodings = view.slots.filter((slot) => sums.at(slot, 'active') !== null).length;
      values.DensityHistogram = histogramOf(firing, sums.positions * encodings);
    }
    return values;
  }

  /** Values of each layer, for kinds that are measured on several by themselves. */
  perLayer(subject: Subject, protocols: readonly Protocol[]): PerLayer[] {
    const has = new Set(protocols);
    return subject.slots.strict.map(({ layer }, slot): PerLayer => ({
      layer: layer!,
      reference: has.has('reference') ? this.#layerReference(subject, slot) : null,
      strict: has.has('strict') ? this.#layerStrict(subject, slot) : null,
    }));
  }

  #layerReference(subject: Subject, slot: number): NonNullable<PerLayer['reference']> {
    const view = this.#view(subject, 'reference', slot);
    const of = (field: ReferenceField): number | null => {
      const formula = this.#metrics.find(({ reference }) => reference[field] !== undefined)
        ?.reference[field];
      return formula === undefined ? null : this.#overBatches(view, formula);
    };
    return {
      NormMSE: of('NormMSE'),
      KLDiv: of('KLDiv'),
      DeltaCE: of('DeltaCE'),
      Recovered: of('Recovered'),
      splicedAt: subject.slots.reference[slot]!.splicedAt,
    };
  }

  #layerStrict(subject: Subject, slot: number): NonNullable<PerLayer['strict']> {
    const view = this.#view(subject, 'strict', slot);
    const of = (field: EstimateField): Estimate | null => {
      const definition = this.#metrics.find(({ strict }) => strict[field] !== undefined)?.strict[
        field
      ];
      return definition === undefined ? null : this.#estimate(view, definition);
    };
    return {
      NormMSE: of('NormMSE'),
      KLDivPerToken: of('KLDivPerToken'),
      KLDivPerSequence: of('KLDivPerSequence'),
      DeltaCE: of('DeltaCE'),
      Recovered: of('Recovered'),
      splicedAt: subject.slots.strict[slot]!.splicedAt,
    };
  }

  /** Differences of every pair (the later minus the earlier), on the same resamples. */
  comparisons(subjects: readonly (Subject & { label: string })[]): Comparison[] {
    return compared.flatMap((field): Comparison[] => {
      const definition = this.#metrics.find(({ strict }) => strict[field] !== undefined)?.strict[
        field
      ];
      if (definition === undefined) return [];
      const values = subjects.flatMap((subject) => {
        const view = this.#view(subject, 'strict');
        const mean = definition.formula(sumsOver(this.accumulator, view));
        return mean === null
          ? []
          : [
              {
                label: subject.label,
                mean,
                resampled: this.#resampledValues(view, definition.formula),
              },
            ];
      });
      return values.flatMap((a, later) =>
        values.slice(0, later).map((b): Comparison => ({
          metric: field,
          a: a.label,
          b: b.label,
          difference: a.mean - b.mean,
          ci95:
            a.resampled === null || b.resampled === null
              ? null
              : percentileInterval(a.resampled.map((value, row) => value - b.resampled![row]!)),
        })),
      );
    });
  }
}
