/**
 * KL(clean ‖ spliced) of the next-token distributions, in nats. `reference` divides by sequences
 * and counts padded positions; `strict` counts real tokens, per token (primary) and per sequence.
 * Several sites: the mean over them.
 */
import { meanOverSlots, type Formula, type Metric, type Sums } from './metric.js';

const per = (sums: Sums, count: number): number | null =>
  count === 0
    ? null
    : meanOverSlots(sums, (slot) => {
        const total = sums.at(slot, 'kl');
        return total === null ? null : total / count;
      });

const perSequence: Formula = (sums) => per(sums, sums.sequences);
const perToken: Formula = (sums) => per(sums, sums.positions);

export const klDiv: Metric = {
  name: 'KLDiv',
  needs: { splice: true, zero: false },
  reference: { KLDiv: perSequence },
  strict: {
    KLDivPerToken: { formula: perToken, interval: true },
    KLDivPerSequence: { formula: perSequence, interval: true },
  },
};
