/** Columns and vectors that several metrics share. Those of one metric stand in its file. */
import type { ReconstructionColumn, SpliceColumn, Vector } from './metric.js';

/** Σ ‖x‖². */
export const squaredInput: ReconstructionColumn = {
  name: 'squaredInput',
  meaning: '‖x‖² of the input',
  from: 'reconstruction',
  protocols: ['strict'],
  values: (measurement) => measurement.squaredInput,
};

/** Σ active latents. */
export const active: ReconstructionColumn = {
  name: 'active',
  meaning: 'active latents',
  from: 'reconstruction',
  protocols: ['strict'],
  ofSpecials: true,
  values: ({ latents }) => latents?.active() ?? null,
};

/** Σ cross-entropy with the splice. */
export const ceSpliced: SpliceColumn = {
  name: 'ceSpliced',
  meaning: 'cross-entropy of the next token with the splice, in nats',
  from: 'splice',
  over: 'nextPositions',
  values: ({ ce }) => ce,
};

/** Tokens on which each latent is active (token-layer pairs if the SAE reads several): [m]. */
export const firing: Vector = {
  name: 'firing',
  meaning: 'over the run: tokens on which each latent is active',
  protocols: ['strict'],
  values: ({ latents }, counted) => latents?.firing(counted) ?? null,
};
