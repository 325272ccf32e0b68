/**
 * DeadLatents: the share of latents that were active on no real token of the run (on any layer).
 */
import type { Metric } from './metric.js';

export const deadLatents: Metric = {
  name: 'DeadLatents',
  needs: { splice: false, zero: false },
  reference: {},
  strict: {
    DeadLatents: {
      interval: false,
      formula: (sums) => {
        const firing = sums.vector('firing');
        return firing === null
          ? null
          : firing.reduce((dead, count) => dead + (count === 0 ? 1 : 0), 0) / firing.length;
      },
    },
  },
};
