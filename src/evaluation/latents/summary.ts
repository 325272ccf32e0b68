/** Summary of the latents tables in a result: dead latents and twins of each SAE. */
import type { Accumulator } from '../../metrics/accumulator.js';
import { twinsFrom, type LatentsSummary } from '../../schema/index.js';
import type { SaeFacts } from '../result/facts.js';

export function latentsSummary(
  accumulator: Accumulator,
  saes: readonly SaeFacts[],
): LatentsSummary[] {
  return saes.flatMap(({ identity, variants }) => {
    const tally = accumulator.tallies.get(variants[0]?.owner ?? '');
    if (tally === undefined) return [];
    const { active, weights, positions, shape } = tally;
    const count = (values: Float64Array, is: (value: number) => boolean): number =>
      values.reduce((sum, value) => sum + (is(value) ? 1 : 0), 0);
    return [
      {
        sae: identity.label,
        m: shape.m,
        positions,
        dead: count(active, (value) => value === 0),
        dense: count(active, (value) => value > 0.1 * positions),
        twins: weights === null ? null : count(weights.twinCosine, (value) => value >= twinsFrom),
      },
    ];
  });
}
