/**
 * Intervals of explained variances of activations, by which their definitions can be told apart:
 * 1 − Σ‖ĥ − h‖² / Σ‖h − h̄_b‖² over the resampled sequences, h̄_b the mean of a batch. No
 * definition is this one exactly, but all of them vary as it does from text to text.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import { slotKey } from '../../metrics/keys.js';
import { batchColumns, peerColumns } from '../../metrics/peers/columns.js';
import { fewestSequences, resample } from './bootstrap.js';
import type { PeerMeasured } from './peer-values.js';
import { percentileInterval } from './percentile-interval.js';
import { drawnColumns } from './resampled-units.js';

/** An SAE, and the protocols of other tools under which it was measured. */
export interface VarianceSubject {
  owner: string;
  peers: readonly PeerMeasured[];
}

/** The interval of each SAE; null without one. */
export function varianceIntervals(
  accumulator: Accumulator,
  subjects: readonly VarianceSubject[],
  { seed, batchesAbove }: { seed: number; batchesAbove: number | undefined },
): ([number, number] | null)[] {
  if (accumulator.sequences < fewestSequences) return subjects.map(() => null);
  const names = subjects.map(({ owner, peers: [first] }) =>
    first === undefined
      ? []
      : [peerColumns.squaredError, batchColumns.batchVariance].map(({ name }) =>
          slotKey({ owner, protocol: first.protocol, slot: 0 }, name),
        ),
  );
  const drawn = drawnColumns(accumulator, names.flat(), batchesAbove);
  const places = new Map([...drawn.keys()].map((name, place) => [name, place]));
  if (places.size === 0) return subjects.map(() => null);
  const { sums, columns, rows } = resample([...drawn.values()], seed);
  return names.map((own) => {
    const [error, variance] = own.map((name) => places.get(name));
    if (error === undefined || variance === undefined) return null;
    const values = Float64Array.from(
      { length: rows },
      (_, row) => 1 - sums[row * columns + error]! / sums[row * columns + variance]!,
    );
    return values.every(Number.isFinite) ? percentileInterval(values) : null;
  });
}
