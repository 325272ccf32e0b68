/** Work of a sample that is only measured, as a part of that of one that is spliced too. */
import type { ForwardCost } from '../../../lm/index.js';
import type { Wanted } from '../../engine/strategies/strategy.js';
import { makePlan, type PlannedSae } from './plan.js';

/** The part, by the FLOPs of their matmuls; 1 if nothing is spliced. */
export function measuredWork(
  saes: readonly PlannedSae[],
  { cost, wanted }: { cost: ForwardCost; wanted: Wanted },
): number {
  const alone = saes.map(({ strategy, ...one }): PlannedSae => {
    const { residuals, sites, measuredOn, variants, passes } = strategy;
    const reads = { residuals, sites, ...(measuredOn === undefined ? {} : { measuredOn }) };
    return { ...one, strategy: { ...reads, variants, passes, lanes: [], zeroSites: [] } };
  });
  const whole = makePlan(saes, { cost, wanted }).flopsPerToken;
  const part = makePlan(alone, { cost, wanted }).flopsPerToken;
  return whole === 0 ? 1 : part / whole;
}
