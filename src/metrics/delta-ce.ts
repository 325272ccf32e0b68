/** DeltaCE: mean next-token cross-entropy with the splice minus without it, in nats per token. */
import { ceSpliced } from './columns.js';
import { meanOverSlots, type Metric } from './metric.js';

const text = {
  field: 'DeltaCE',
  name: { en: 'ΔCE', zh: 'ΔCE' },
  meaning: {
    en: 'increase of the next-token cross-entropy by the splice, in nats per token',
    zh: '替换引起的下一词元交叉熵增量，每词元奈特数',
  },
  formula: '`CE_sae − CE_clean`, cross-entropies of the next token',
  unit: 'nats per token',
  better: 'lower',
  perLayer: true,
  value: (sums) =>
    meanOverSlots(sums, (slot) => {
      const spliced = sums.at(slot, ceSpliced);
      return spliced === null || sums.nextPositions === 0
        ? null
        : (spliced - sums.ceClean) / sums.nextPositions;
    }),
} as const satisfies Partial<Metric['fields'][number]>;

export const deltaCE = {
  name: 'DeltaCE',
  columns: [ceSpliced],
  fields: [
    { ...text, protocol: 'reference', shape: 'number' },
    { ...text, protocol: 'strict', shape: 'estimate', interval: true, compared: true },
  ],
} as const satisfies Metric;
