/**
 * L0: mean active latents per token, per token and layer if a kind encodes each layer, and the same
 * over the width of the residual stream.
 */
import { active } from './columns.js';
import { meanOverPositions, type Metric, type Sums } from './metric.js';

const activePerToken = (sums: Sums): number | null => meanOverPositions(sums, active);

const common = {
  protocol: 'strict',
  better: 'neither',
  shape: 'estimate',
  interval: true,
} as const;

export const l0 = {
  name: 'L0',
  columns: [active],
  fields: [
    {
      ...common,
      field: 'L0',
      name: { en: 'L0', zh: 'L0' },
      meaning: { en: 'mean number of active latents per token', zh: '每词元激活潜变量的平均数' },
      formula: 'mean over positions of the number of latents that are not zero',
      unit: 'latents',
      value: activePerToken,
    },
    {
      ...common,
      field: 'L0OverHidden',
      name: { en: 'L0 / width', zh: 'L0 / 宽度' },
      meaning: {
        en:
          'L0 over the width of the residual stream; above 1 the code is larger than the vector ' +
          'that it encodes',
        zh: 'L0 与残差流宽度之比；大于 1 表示编码比被编码的向量更大',
      },
      formula: '`L0 / d`',
      unit: null,
      value: (sums) => {
        const mean = activePerToken(sums);
        return mean === null ? null : mean / sums.width;
      },
    },
  ],
} as const satisfies Metric;
