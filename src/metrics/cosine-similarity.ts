/** CosineSimilarity: the mean over (token, site) pairs of cos(x, x̂) in the SAE's input space. */
import { meanOverPositions, type Metric } from './metric.js';

export const cosineSimilarity: Metric = {
  name: 'CosineSimilarity',
  needs: { splice: false, zero: false },
  reference: {},
  strict: {
    CosineSimilarity: { formula: (sums) => meanOverPositions(sums, 'cosine'), interval: true },
  },
};
