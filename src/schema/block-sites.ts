/**
 * Sites inside a block, in the order of computation:
 *
 * - `attn_z` the outputs of the heads side by side;
 * - `attn_out` the term that attention adds to the residual stream;
 * - `resid_mid` the residual stream between attention and MLP;
 * - `mlp_in` the residual stream as the MLP's norm reads it: a change here reaches the MLP alone;
 * - `ln2_normalized` what that norm makes of it, before the norm's weight;
 * - `ln2_out` the norm's output after its weight, which the MLP reads;
 * - `mlp_post` the neurons inside the MLP, after the non-linearity and the gate;
 * - `mlp_out` the term that the MLP adds to the residual stream.
 */
export const blockSites = [
  'attn_z',
  'attn_out',
  'resid_mid',
  'mlp_in',
  'ln2_normalized',
  'ln2_out',
  'mlp_post',
  'mlp_out',
] as const;

export type BlockSite = (typeof blockSites)[number];
