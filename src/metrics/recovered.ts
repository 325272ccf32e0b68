/**
 * Recovered: the share of the loss increase under zero ablation that the splice avoids,
 * 1 − (CE_sae − CE_clean) / (CE_zero − CE_clean + 1e-8). Several sites: the mean of the ratios.
 */
import { meanOverSlots, type Formula, type Metric } from './metric.js';

const formula: Formula = (sums) =>
  meanOverSlots(sums, (slot) => {
    const spliced = sums.at(slot, 'ceSpliced');
    const zero = sums.at(slot, 'ceZero');
    if (spliced === null || zero === null || sums.nextPositions === 0) return null;
    const count = sums.nextPositions;
    return 1 - (spliced - sums.ceClean) / count / ((zero - sums.ceClean) / count + 1e-8);
  });

export const recovered: Metric = {
  name: 'Recovered',
  needs: { splice: true, zero: true },
  reference: { Recovered: formula },
  strict: { Recovered: { formula, interval: true } },
};
