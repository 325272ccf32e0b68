/**
 * The sequences that some metrics are over, and the values of formulas on them: over all, as a mean
 * over their batches, on bootstrap resamples.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import { allPositions, cleanKey, slotKey } from '../../metrics/keys.js';
import type { Formula, ScalarField, Sums } from '../../metrics/metric.js';
import { columnsOf, type Table } from '../../metrics/table.js';
import { protocolNames, type Estimate } from '../../schema/index.js';
import type { Subject } from './assemble.js';
import { fewestSequences, resample, type Resampled } from './bootstrap.js';
import { percentileInterval } from './percentile-interval.js';
import { drawnColumns } from './resampled-units.js';
import { resampledSums, sumsOver, type ColumnPlaces, type View } from './sums.js';

/**
 * Number of sequences that were spliced, the first ones: all, unless the request says fewer. Every
 * spliced pass is compared with the clean one, so that its cross-entropy tells.
 */
export function splicedSequences(accumulator: Accumulator): number {
  const compared = protocolNames.map((protocol) =>
    accumulator.column(cleanKey(protocol, 'ceClean')),
  );
  return compared.find((column) => column !== null)?.length ?? accumulator.sequences;
}

export interface SequencePartOptions {
  /** The sums of these sequences alone. */
  accumulator: Accumulator;
  /** The metrics that are over them. */
  metrics: Table;
  subjects: readonly Subject[];
  seed: number;
  /** Whether the bootstrap runs; without it, values have no interval. */
  intervals: boolean;
  /** Number of sequences above which batches are resampled; default 200,000. */
  batchesAbove?: number | undefined;
}

export class SequencePart {
  readonly #accumulator: Accumulator;
  readonly #resampled: { sums: Resampled; places: ColumnPlaces } | null;

  constructor(options: SequencePartOptions) {
    const { accumulator, intervals } = options;
    this.#accumulator = accumulator;
    this.#resampled =
      intervals && accumulator.sequences >= fewestSequences ? resampled(options) : null;
  }

  /** The sums over all of the sequences. */
  sums(view: View): Sums {
    return sumsOver(this.#accumulator, view);
  }

  /** The plain mean of a formula's values on the batches. */
  overBatches(view: View, formula: Formula): number | null {
    const { batchSizes } = this.#accumulator;
    let total = 0;
    let from = 0;
    for (const size of batchSizes) {
      const value = formula(sumsOver(this.#accumulator, view, { from, to: from + size }));
      if (value === null) return null;
      total += value;
      from += size;
    }
    return batchSizes.length === 0 ? null : total / batchSizes.length;
  }

  /** A formula on every resample. */
  resampledValues(view: View, formula: Formula): Float64Array | null {
    if (this.#resampled === null) return null;
    const { sums, places } = this.#resampled;
    let row = 0;
    const read = resampledSums(sums, places, this.#accumulator.sequences, view, () => row);
    const values = new Float64Array(sums.rows);
    for (row = 0; row < sums.rows; row++) {
      const value = formula(read);
      if (value === null) return null;
      values[row] = value;
    }
    return values;
  }

  estimate(view: View, { value: formula, interval }: ScalarField): Estimate | null {
    const mean = formula(this.sums(view));
    if (mean === null) return null;
    if (interval !== true) return { mean };
    const values = this.resampledValues(view, formula);
    return { mean, ci95: values === null ? null : percentileInterval(values) };
  }
}

/** The resampled sums of every column that the metrics need. */
function resampled({ accumulator, metrics, subjects, seed, batchesAbove }: SequencePartOptions): {
  sums: Resampled;
  places: ColumnPlaces;
} {
  const sets = new Set(subjects.map(({ positions = allPositions }) => positions));
  const names = [
    ...[...sets].flatMap((set) =>
      (['positions', 'nextPositions', 'ceClean'] as const).map((name) =>
        cleanKey('strict', name, set),
      ),
    ),
    ...subjects.flatMap(({ owner, slots }) =>
      slots.strict.flatMap((_, slot) =>
        columnsOf(metrics).map(({ name }) => slotKey({ owner, protocol: 'strict', slot }, name)),
      ),
    ),
  ];
  const drawn = drawnColumns(accumulator, names, batchesAbove);
  return {
    sums: resample([...drawn.values()], seed),
    places: new Map([...drawn.keys()].map((name, place) => [name, place])),
  };
}
