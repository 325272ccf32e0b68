/**
 * NormRatio: √(Σ‖x̂‖² / Σ‖x‖²). Far from 1 it betrays a wrong scale or a missing normalisation. It
 * comes with NormMSE.
 */
import { totalOverSlots, type Formula } from './metric.js';

export const normRatio: Formula = (sums) => {
  const reconstruction = totalOverSlots(sums, 'squaredReconstruction');
  const input = totalOverSlots(sums, 'squaredInput');
  return reconstruction.slots === 0 || input.total === 0
    ? null
    : Math.sqrt(reconstruction.total / input.total);
};
