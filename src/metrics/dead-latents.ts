/** DeadLatents: the share of latents that were active on no real token of the run, on any layer. */
import { firing } from './columns.js';
import type { Metric } from './metric.js';

export const deadLatents = {
  name: 'DeadLatents',
  vectors: [firing],
  fields: [
    {
      field: 'DeadLatents',
      protocol: 'strict',
      name: { en: 'Dead latents', zh: '死特征' },
      meaning: {
        en: 'share of latents that were never active in this run',
        zh: '本次运行中从未激活的潜变量比例',
      },
      formula: 'latents active on no real token, over `m`',
      unit: 'share',
      better: 'lower',
      shape: 'estimate',
      value: (sums) => {
        const counts = sums.vector(firing);
        return counts === null
          ? null
          : counts.reduce((dead, count) => dead + (count === 0 ? 1 : 0), 0) / counts.length;
      },
    },
  ],
} as const satisfies Metric;
