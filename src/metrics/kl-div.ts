/**
 * KLDiv: KL(clean ‖ spliced) of the next-token distributions, in nats. `reference` divides by
 * sequences and counts padded positions; `strict` counts real tokens, per token (primary) and per
 * sequence. Kinds with several layers: the mean over them.
 */
import { meanOverSlots, type Metric, type SpliceColumn, type Sums } from './metric.js';

/** Σ KL(clean ‖ spliced). */
const kl: SpliceColumn = {
  name: 'kl',
  meaning: 'KL(clean ‖ spliced) of the next-token distributions, in nats',
  from: 'splice',
  over: 'positions',
  values: (logits) => logits.kl,
};

const per = (sums: Sums, count: number): number | null =>
  count === 0
    ? null
    : meanOverSlots(sums, (slot) => {
        const total = sums.at(slot, kl);
        return total === null ? null : total / count;
      });

const perSequence = (sums: Sums): number | null => per(sums, sums.sequences);

export const klDiv = {
  name: 'KLDiv',
  columns: [kl],
  fields: [
    {
      field: 'KLDiv',
      protocol: 'reference',
      name: { en: 'KL divergence', zh: 'KL 散度' },
      meaning: {
        en:
          'KL(clean ‖ spliced) of the next-token distributions, in nats, summed over a sequence ' +
          'with its padded positions',
        zh: '下一词元分布的 KL(干净 ‖ 替换)，单位奈特，按序列求和，包括填充位置',
      },
      formula: '`Σ_t Σ_v p (log p − log q)` over a sequence, averaged over sequences',
      unit: 'nats per sequence',
      better: 'lower',
      shape: 'number',
      perLayer: true,
      value: perSequence,
    },
    {
      field: 'KLDivPerToken',
      protocol: 'strict',
      name: { en: 'KL per token', zh: '每词元 KL' },
      meaning: {
        en: 'KL(clean ‖ spliced) of the next-token distributions, in nats per real token',
        zh: '下一词元分布的 KL(干净 ‖ 替换)，每个真实词元的奈特数',
      },
      formula: '`Σ_v p (log p − log q)`, averaged over real tokens',
      unit: 'nats per token',
      better: 'lower',
      shape: 'estimate',
      interval: true,
      perLayer: true,
      compared: true,
      value: (sums) => per(sums, sums.positions),
    },
    {
      field: 'KLDivPerSequence',
      protocol: 'strict',
      name: { en: 'KL per sequence', zh: '每序列 KL' },
      meaning: {
        en: 'the same KL summed over the real tokens of a sequence',
        zh: '同一 KL 在序列的真实词元上求和',
      },
      formula: '`Σ_t Σ_v p (log p − log q)` over the real tokens of a sequence',
      unit: 'nats per sequence',
      better: 'lower',
      shape: 'estimate',
      interval: true,
      perLayer: true,
      compared: true,
      value: perSequence,
    },
  ],
} as const satisfies Metric;
