/** Orders of the rows of a latents table; without zod, so that the command line starts at once. */

/** Columns that rows can be sorted by. */
export const latentSorts = [
  'latent',
  'active',
  'density',
  'samples',
  'sampleShare',
  'mean',
  'max',
  'encoderNorm',
  'decoderNorm',
  'encoderDecoderCosine',
  'twinCosine',
] as const;

export type LatentSort = (typeof latentSorts)[number];
