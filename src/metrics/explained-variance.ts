/**
 * ExplainedVariance: 1 − Σ‖x̂ − x‖² / Σ‖x − x̄‖² with one pooled mean vector x̄ over all real
 * tokens and sites. A predictor that returns the mean scores 0; where all inputs are equal, as on a
 * single token, there is none.
 */
import { totalOverSlots, type Metric } from './metric.js';

/**
 * Share of Σ‖x‖² below which the variance is what rounding leaves: the squares come from float32.
 */
const rounding = 1e-6;

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
        return variance <= rounding * input.total ? null : 1 - error.total / variance;
      },
    },
  },
};
