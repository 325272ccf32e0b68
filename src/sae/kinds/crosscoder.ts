/**
 * Crosscoder (Lindsey et al., "Sparse Crosscoders for Cross-Layer Features and Model Diffing",
 * 2024). Files of the RouteSAE family have neither a pre-bias nor a decoder bias.
 *
 *   z = relu(Σ_j W_e^j x_j + b);   x̂_j = W_d^j z
 */
import type { Kind } from './kind.js';

const sites = (R: number | null): number[] => Array.from({ length: R ?? 1 }, (_, j) => j);

export const crosscoder = {
  kind: 'Crosscoder' as const,
  summary: {
    en: 'one set of latents reads and writes several layers',
    zh: '一组潜变量同时读写多个层',
  },
  group: 'multiLayer',
  layer: 'routed',
  hasK: false,
  hasRouting: false,
  sizesFrom: 'encoder.0.weight',
  routedLayers(shapes) {
    let R = 0;
    while (shapes.has(`encoder.${R}.weight`)) R += 1;
    return R;
  },
  tensors: ({ d, m, R }) => ({
    latent_bias: [m],
    ...Object.fromEntries(sites(R).map((j) => [`encoder.${j}.weight`, [m, d]])),
    ...Object.fromEntries(sites(R).map((j) => [`decoder.${j}.weight`, [d, m]])),
  }),
  form: ({ d, m, R }) => ({
    form: 'crosscoder',
    d,
    m,
    sites: R ?? 1,
    encoder: { tensors: sites(R).map((j) => `encoder.${j}.weight`), transpose: true },
    decoder: { tensors: sites(R).map((j) => `decoder.${j}.weight`), transpose: true },
    encoderBias: 'latent_bias',
    decoderBias: null,
    activation: { kind: 'relu', overrides: 'preactivations' },
    decoderNorm: 'none',
    normalizations: sites(R).map(() => ({ kind: 'pre' as const })),
  }),
} satisfies Kind;
