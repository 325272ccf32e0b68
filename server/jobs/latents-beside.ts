/** Path of the latents table of an evaluation, which lies beside its sums. */
export const latentsBeside = (sums: string): string =>
  `${sums.replace(/\.safetensors$/, '')}.latents.parquet`;
