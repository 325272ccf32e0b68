/**
 * DensityHistogram: latents by firing rate, 40 bins over log10 from −6 to 0; the lowest takes
 * smaller rates too.
 */
import type { DensityHistogram } from '../schema/index.js';
import type { Metric } from './metric.js';

const bins = 40;
const lowest = -6;

/** `firing`: active tokens (token-layer pairs) of each latent; `tokens`: how many there were. */
export function histogramOf(firing: Float64Array, tokens: number): DensityHistogram {
  const count = new Array<number>(bins).fill(0);
  let dead = 0;
  for (const active of firing) {
    if (active === 0) {
      dead += 1;
      continue;
    }
    const bin = Math.floor(((Math.log10(active / tokens) - lowest) / -lowest) * bins);
    count[Math.min(Math.max(bin, 0), bins - 1)]! += 1;
  }
  const log10 = Array.from({ length: bins + 1 }, (_, edge) => lowest - (lowest * edge) / bins);
  return { log10, count, dead };
}

/** A histogram is no mean: evaluation calls {@link histogramOf} where it is asked for. */
export const densityHistogram: Metric = {
  name: 'DensityHistogram',
  needs: { splice: false, zero: false },
  reference: {},
  strict: {},
};
