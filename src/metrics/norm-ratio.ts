/**
 * NormRatio: √(Σ‖x̂‖² / Σ‖x‖²). A value far from 1 is a sign of a wrong scale or a missing
 * normalization.
 */
import { squaredInput } from './columns.js';
import { totalOverSlots, type ReconstructionColumn, type ScalarField } from './metric.js';

/** Σ ‖x̂‖². */
export const squaredReconstruction: ReconstructionColumn = {
  name: 'squaredReconstruction',
  meaning: '‖x̂‖² of the reconstruction',
  from: 'reconstruction',
  protocols: ['strict'],
  values: (measurement) => measurement.squaredReconstruction,
};

export const normRatio = {
  field: 'NormRatio',
  protocol: 'strict',
  name: { en: 'Norm ratio', zh: '范数比' },
  meaning: {
    en: 'norm of the reconstruction over the norm of its input; far from 1 the scale is wrong',
    zh: '重建范数与输入范数之比；远离 1 说明尺度有误',
  },
  formula: '`√(Σ‖x̂‖² / Σ‖x‖²)`',
  unit: null,
  better: 'neither',
  shape: 'estimate',
  interval: true,
  value: (sums) => {
    const reconstruction = totalOverSlots(sums, squaredReconstruction);
    const input = totalOverSlots(sums, squaredInput);
    return reconstruction.slots === 0 || input.total === 0
      ? null
      : Math.sqrt(reconstruction.total / input.total);
  },
} as const satisfies ScalarField;
