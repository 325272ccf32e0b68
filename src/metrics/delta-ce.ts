/** DeltaCE: mean next-token cross-entropy with the splice minus without it, in nats per token. */
import { meanOverSlots, type Formula, type Metric } from './metric.js';

const formula: Formula = (sums) =>
  meanOverSlots(sums, (slot) => {
    const spliced = sums.at(slot, 'ceSpliced');
    return spliced === null || sums.nextPositions === 0
      ? null
      : (spliced - sums.ceClean) / sums.nextPositions;
  });

export const deltaCE: Metric = {
  name: 'DeltaCE',
  needs: { splice: true, zero: false },
  reference: { DeltaCE: formula },
  strict: { DeltaCE: { formula, interval: true } },
};
