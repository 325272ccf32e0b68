/** The metrics: adding one is adding its file and a line here. */
import type { MetricName } from '../schema/index.js';
import { cosineSimilarity } from './cosine-similarity.js';
import { deadLatents } from './dead-latents.js';
import { deltaCE } from './delta-ce.js';
import { densityHistogram } from './density-histogram.js';
import { explainedVariance } from './explained-variance.js';
import { klDiv } from './kl-div.js';
import { l0 } from './l0.js';
import type { Metric } from './metric.js';
import { normMSE } from './norm-mse.js';
import { recovered } from './recovered.js';
import { routingShare } from './routing-share.js';

const metrics: readonly Metric[] = [
  normMSE,
  klDiv,
  deltaCE,
  recovered,
  l0,
  deadLatents,
  densityHistogram,
  explainedVariance,
  cosineSimilarity,
  routingShare,
];

/** The metrics asked for, in the order of this registry. */
export function metricsNamed(names: readonly MetricName[]): Metric[] {
  return metrics.filter((metric) => names.includes(metric.name));
}
