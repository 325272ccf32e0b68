/**
 * Recovered: the share of the loss increase under zero ablation that the splice avoids,
 * 1 − (CE_sae − CE_clean) / (CE_zero − CE_clean + 1e-8). Kinds with several layers: the mean of the
 * ratios.
 */
import { ceSpliced } from './columns.js';
import { meanOverSlots, type Metric, type ZeroColumn } from './metric.js';

/** Σ cross-entropy with the site set to zero. */
const ceZero: ZeroColumn = {
  name: 'ceZero',
  meaning: 'cross-entropy of the next token with the site set to zero, in nats',
  from: 'zero',
  over: 'nextPositions',
  values: ({ ce }) => ce,
};

const text = {
  field: 'Recovered',
  name: { en: 'Loss recovered', zh: '损失恢复率' },
  meaning: {
    en: 'share of the loss of a zeroed site that the splice avoids; 1 is perfect',
    zh: '把该处置零所造成的损失中，替换所避免的比例；1 表示损失完全恢复',
  },
  formula: '`1 − (CE_sae − CE_clean) / (CE_zero − CE_clean + 1e-8)`',
  unit: 'share',
  better: 'higher',
  perLayer: true,
  value: (sums) =>
    meanOverSlots(sums, (slot) => {
      const spliced = sums.at(slot, ceSpliced);
      const zero = sums.at(slot, ceZero);
      if (spliced === null || zero === null || sums.nextPositions === 0) return null;
      const count = sums.nextPositions;
      return 1 - (spliced - sums.ceClean) / count / ((zero - sums.ceClean) / count + 1e-8);
    }),
} as const satisfies Partial<Metric['fields'][number]>;

export const recovered = {
  name: 'Recovered',
  columns: [ceSpliced, ceZero],
  fields: [
    { ...text, protocol: 'reference', shape: 'number' },
    { ...text, protocol: 'strict', shape: 'estimate', interval: true, compared: true },
  ],
} as const satisfies Metric;
