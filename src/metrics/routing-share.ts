/**
 * RoutingShare: the positions that RouteSAE sends to each routed layer, as counts (`reference`) and
 * as shares (`strict`). Soft routing: sums of the router's weights.
 */
import type { Metric, Vector } from './metric.js';

/** Positions, or the sum of weights, of each routed layer: [R]. */
const routed: Vector = {
  name: 'routed',
  meaning: 'over the run: positions, or weights, of each routed layer',
  protocols: ['reference', 'strict'],
  values: (measurement, counted) => measurement.routed?.(counted) ?? null,
};

const common = {
  better: 'neither',
  shape: 'list',
  absent: {
    en: 'Only RouteSAE routes tokens to layers.',
    zh: '只有 RouteSAE 会把词元路由到不同的层。',
  },
} as const;

export const routingShare = {
  name: 'RoutingShare',
  vectors: [routed],
  fields: [
    {
      ...common,
      field: 'RoutedPositions',
      protocol: 'reference',
      name: { en: 'Routed positions', zh: '路由位置数' },
      meaning: {
        en: 'positions that RouteSAE sends to each layer, with padding',
        zh: 'RouteSAE 送往各层的位置数，包括填充',
      },
      formula: 'positions that the router sends to each layer; soft: `Σ p`',
      unit: 'positions',
      value: (sums) => {
        const counts = sums.vector(routed);
        return counts === null ? null : Array.from(counts);
      },
    },
    {
      ...common,
      field: 'RoutingShare',
      protocol: 'strict',
      name: { en: 'Routing share', zh: '路由比例' },
      meaning: {
        en: 'share of real positions that RouteSAE sends to each layer',
        zh: 'RouteSAE 送往各层的真实位置比例',
      },
      formula: 'the same over real positions, divided by their sum',
      unit: 'share',
      value: (sums) => {
        const counts = sums.vector(routed);
        if (counts === null) return null;
        const total = counts.reduce((sum, value) => sum + value, 0);
        return Array.from(counts, (value) => (total === 0 ? 0 : value / total));
      },
    },
  ],
} as const satisfies Metric;
