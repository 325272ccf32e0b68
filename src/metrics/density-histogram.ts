/**
 * DensityHistogram: latents by firing rate in 40 bins over log10 from −6 to 0. The lowest bin takes
 * smaller rates too.
 */
import { active, firing } from './columns.js';
import { totalOverSlots, type Metric } from './metric.js';
import type { DensityHistogram } from './value.js';

const bins = 40;
const lowest = -6;

/**
 * @param counts active tokens (token-layer pairs) of each latent.
 * @param tokens tokens (token-layer pairs) in all.
 */
export function histogramOf(counts: Float64Array, tokens: number): DensityHistogram {
  const count = new Array<number>(bins).fill(0);
  let dead = 0;
  for (const fired of counts) {
    if (fired === 0) {
      dead += 1;
      continue;
    }
    const bin = Math.floor(((Math.log10(fired / tokens) - lowest) / -lowest) * bins);
    count[Math.min(Math.max(bin, 0), bins - 1)]! += 1;
  }
  const log10 = Array.from({ length: bins + 1 }, (_, edge) => lowest - (lowest * edge) / bins);
  return { log10, count, dead };
}

export const densityHistogram = {
  name: 'DensityHistogram',
  columns: [active],
  vectors: [firing],
  fields: [
    {
      field: 'DensityHistogram',
      protocol: 'strict',
      name: { en: 'Density histogram', zh: '密度直方图' },
      meaning: {
        en: 'latents by the share of tokens on which they are active',
        zh: '按激活词元比例统计的潜变量',
      },
      formula:
        'latents by firing rate: 40 bins over log10 from −6 to 0, the lowest with all smaller ' +
        'rates, dead latents apart',
      unit: 'latents',
      better: 'neither',
      shape: 'histogram',
      value: (sums) => {
        const counts = sums.vector(firing);
        return counts === null
          ? null
          : histogramOf(counts, sums.positions * totalOverSlots(sums, active).slots);
      },
    },
  ],
} as const satisfies Metric;
