/**
 * NormMSE: per token, mean_d((x̂ − x)²) / mean_d(x²) in the SAE's input space; the mean over
 * positions and sites.
 */
import { meanOverPositions, type Formula, type Metric } from './metric.js';
import { normRatio } from './norm-ratio.js';

const formula: Formula = (sums) => meanOverPositions(sums, 'nmse');

export const normMSE: Metric = {
  name: 'NormMSE',
  needs: { splice: false, zero: false },
  reference: { NormMSE: formula },
  strict: {
    NormMSE: { formula, interval: true },
    NormRatio: { formula: normRatio, interval: true },
  },
};
