/**
 * NormMSE: per token, mean_d((x̂ − x)²) / mean_d(x²) in the SAE's input space, averaged over
 * positions and layers. NormRatio comes with it.
 */
import { meanOverPositions, type Metric, type ReconstructionColumn } from './metric.js';
import { normRatio, squaredReconstruction } from './norm-ratio.js';
import { squaredInput } from './columns.js';

/** Σ normalized squared error. */
const nmse: ReconstructionColumn = {
  name: 'nmse',
  meaning: '‖x̂ − x‖² / ‖x‖² of each token',
  from: 'reconstruction',
  protocols: ['reference', 'strict'],
  // The two means over d have the same divisor.
  values: (measurement) => measurement.squaredError.div(measurement.squaredInput),
};

const text = {
  field: 'NormMSE',
  name: { en: 'NormMSE', zh: 'NormMSE' },
  meaning: {
    en:
      'squared error of the reconstruction over the squared norm of its input, averaged over ' +
      'tokens; 0 is perfect, the zero vector scores 1',
    zh: '重建误差平方与输入范数平方之比，对词元取平均；0 表示完全重建，零向量得 1',
  },
  formula: 'mean over positions and layers of `mean_d((x̂ − x)²) / mean_d(x²)`',
  unit: null,
  better: 'lower',
  inInputSpace: true,
  perLayer: true,
  value: (sums) => meanOverPositions(sums, nmse),
} as const satisfies Partial<Metric['fields'][number]>;

export const normMSE = {
  name: 'NormMSE',
  columns: [nmse, squaredInput, squaredReconstruction],
  fields: [
    { ...text, protocol: 'reference', shape: 'number' },
    { ...text, protocol: 'strict', shape: 'estimate', interval: true, compared: true },
    normRatio,
  ],
} as const satisfies Metric;
