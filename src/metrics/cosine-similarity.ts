/** CosineSimilarity: the mean over (token, layer) pairs of cos(x, x̂) in the SAE's input space. */
import { meanOverPositions, type Metric, type ReconstructionColumn } from './metric.js';

/** Product of two norms below which one of the vectors is zero. */
const smallest = 1e-300;

/** Σ cos(x, x̂). */
const cosine: ReconstructionColumn = {
  name: 'cosine',
  meaning: 'cosine between input and reconstruction',
  from: 'reconstruction',
  protocols: ['strict'],
  values: ({ product, squaredInput, squaredReconstruction }) => {
    // A zero vector has no direction: its cosine counts as 0.
    return product.div(squaredInput.sqrt().mul(squaredReconstruction.sqrt()).clamp_min(smallest));
  },
};

export const cosineSimilarity = {
  name: 'CosineSimilarity',
  columns: [cosine],
  fields: [
    {
      field: 'CosineSimilarity',
      protocol: 'strict',
      name: { en: 'Cosine similarity', zh: '余弦相似度' },
      meaning: {
        en: 'mean cosine between input and reconstruction',
        zh: '输入与重建之间余弦的平均',
      },
      formula: 'mean over positions and layers of `cos(x, x̂)`',
      unit: null,
      better: 'higher',
      inInputSpace: true,
      shape: 'estimate',
      interval: true,
      value: (sums) => meanOverPositions(sums, cosine),
    },
  ],
} as const satisfies Metric;
