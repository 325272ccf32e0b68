/**
 * ExplainedVariance: 1 − Σ‖x̂ − x‖² / Σ‖x − x̄‖² with one pooled mean vector x̄ over all real tokens and sites.
 * A predictor that returns the mean scores 0.
 */
import { totalOverSlots, type Metric } from './metric.js';

export const explainedVariance: Metric = {
  name: 'ExplainedVariance',
  needs: { splice: false, zero: false },
  reference: {},
  strict: {
    ExplainedVariance: {
      interval: false,
      formula: (sums) => {
        const inputSum = sums.vector('inputSum');
        const error = totalOverSlots(sums, 'squaredError');
        const input = totalOverSlots(sums, 'squaredInput');
        if (inputSum === null || error.slots === 0) return null;
        // Σ‖x − x̄‖² = Σ‖x‖² − ‖Σx‖² / n
        const n = sums.positions * input.slots;
        const variance = input.total - inputSum.reduce((sum, value) => sum + value * value, 0) / n;
        return 1 - error.total / variance;
      },
    },
  },
};
