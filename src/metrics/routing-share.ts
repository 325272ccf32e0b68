/**
 * RoutingShare: the share of positions that RouteSAE sends to each routed layer; soft routing: of
 * the weights.
 */
import type { Metric } from './metric.js';

/** `routed`: positions (or sums of weights) per layer. */
export function shares(routed: Float64Array): number[] {
  const total = routed.reduce((sum, value) => sum + value, 0);
  return Array.from(routed, (value) => (total === 0 ? 0 : value / total));
}

/** A list is no mean: evaluation calls {@link shares} where it is asked for. */
export const routingShare: Metric = {
  name: 'RoutingShare',
  needs: { splice: false, zero: false },
  reference: {},
  strict: {},
};
