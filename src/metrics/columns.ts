/** Columns and vectors that several metrics share. Those of one metric stand in its file. */
import type { ReconstructionColumn, SpliceColumn, Vector } from './metric.js';

/** Σ ‖x‖². */
export const squaredInput: ReconstructionColumn = {
  name: 'squaredInput',
  from: 'reconstruction',
  protocols: ['strict'],
  values: (measurement) => measurement.squaredInput,
};

/** Σ active latents. */
export const active: ReconstructionColumn = {
  name: 'active',
  from: 'reconstruction',
  protocols: ['strict'],
  values: ({ latents }) => latents?.active() ?? null,
};

/** Σ cross-entropy with the splice. */
export const ceSpliced: SpliceColumn = {
  name: 'ceSpliced',
  from: 'splice',
  over: 'nextPositions',
  values: ({ ce }) => ce,
};

/** Tokens on which each latent is active (token-layer pairs if the SAE reads several): [m]. */
export const firing: Vector = {
  name: 'firing',
  protocols: ['strict'],
  values: ({ latents }, counted) => latents?.firing(counted) ?? null,
};
