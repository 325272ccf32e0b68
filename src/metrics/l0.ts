/**
 * L0: mean active latents per token (per token and layer where a kind encodes each layer), and the
 * same over the width.
 */
import { meanOverPositions, type Formula, type Metric } from './metric.js';

const l0Formula: Formula = (sums) => meanOverPositions(sums, 'active');

const overHidden: Formula = (sums) => {
  const mean = l0Formula(sums);
  return mean === null ? null : mean / sums.width;
};

export const l0: Metric = {
  name: 'L0',
  needs: { splice: false, zero: false },
  reference: {},
  strict: {
    L0: { formula: l0Formula, interval: true },
    L0OverHidden: { formula: overHidden, interval: true },
  },
};
