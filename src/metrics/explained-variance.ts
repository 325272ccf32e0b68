/**
 * ExplainedVariance: 1 − Σ‖x̂ − x‖² / Σ‖x − x̄‖² with one pooled mean vector x̄ over all real
 * tokens and layers. A predictor that returns the mean scores 0. If all inputs are equal, as on a
 * single token, there is no value.
 */
import { squaredInput } from './columns.js';
import { totalOverSlots, type Metric, type ReconstructionColumn, type Vector } from './metric.js';

/** Σ ‖x̂ − x‖². */
export const squaredError: ReconstructionColumn = {
  name: 'squaredError',
  meaning: '‖x̂ − x‖² of input and reconstruction',
  from: 'reconstruction',
  protocols: ['strict'],
  ofSpecials: true,
  values: (measurement) => measurement.squaredError,
};

/** Σ x: [d]. */
const inputSum: Vector = {
  name: 'inputSum',
  meaning: 'over the run: the input x in each dimension',
  protocols: ['strict'],
  // A fill, not a product: values of padded positions may be NaN.
  values: ({ x }, counted) =>
    x.masked_fill(counted.logical_not().unsqueeze(-1), 0).sum([0], { dtype: 'float64' }),
};

/** Share of Σ‖x‖² below which a variance is rounding: the squares come from float32. */
const rounding = 1e-6;

export const explainedVariance = {
  name: 'ExplainedVariance',
  columns: [squaredError, squaredInput],
  vectors: [inputSum],
  fields: [
    {
      field: 'ExplainedVariance',
      protocol: 'strict',
      name: { en: 'Explained variance', zh: '解释方差' },
      meaning: {
        en:
          '1 − squared error over the variance around the mean input; a predictor of the mean ' +
          'scores 0',
        zh: '1 − 误差平方与围绕均值的方差之比；预测均值得 0',
      },
      formula:
        '`1 − Σ‖x̂ − x‖² / Σ‖x − x̄‖²`, `x̄` one mean vector over all real tokens and layers; ' +
        'null if all inputs are equal',
      unit: 'share',
      better: 'higher',
      inInputSpace: true,
      shape: 'estimate',
      absent: {
        en: 'All inputs are equal: there is no variance to explain.',
        zh: '所有输入都相同：没有可解释的方差。',
      },
      value: (sums) => {
        const total = sums.vector(inputSum);
        const error = totalOverSlots(sums, squaredError);
        const input = totalOverSlots(sums, squaredInput);
        if (total === null || error.slots === 0) return null;
        // Σ‖x − x̄‖² = Σ‖x‖² − ‖Σx‖² / n
        const n = sums.positions * input.slots;
        if (n === 0) return null;
        const variance = input.total - total.reduce((sum, value) => sum + value * value, 0) / n;
        return variance <= rounding * input.total ? null : 1 - error.total / variance;
      },
    },
  ],
} as const satisfies Metric;
