/** Settings that evaluations must share for their numbers to be ranked. */
import type { EvaluationResult } from '../schema/index.js';

/** Settings that must be equal, by their names in `Words`. */
const conditions: readonly (readonly [field: string, of: (result: EvaluationResult) => unknown])[] =
  [
    ['model', ({ config }) => config.model],
    [
      'data',
      ({ config: { dataset } }) => [
        dataset.path,
        dataset.split,
        dataset.textField,
        dataset.tokensField,
        dataset.chunking,
        dataset.shuffle,
      ],
    ],
    ['samples', ({ data }) => data.samples],
    ['spliceSamples', ({ data }) => data.spliceSamples],
    ['seqLen', ({ config }) => config.dataset.seqLen],
    ['dtype', ({ config }) => [config.dtype, config.saeDtype]],
  ];
/** The batch size changes the averages of `reference` alone. */
const ofReference: typeof conditions = [['batchSize', ({ config }) => config.batchSize]];

/**
 * Names of the settings that differ, so that a protocol's numbers cannot be ranked; empty if they
 * can.
 */
export function differingFields(
  results: readonly EvaluationResult[],
  protocol: 'reference' | 'strict',
): string[] {
  return [...conditions, ...(protocol === 'reference' ? ofReference : [])]
    .filter(([, of]) => new Set(results.map((result) => JSON.stringify(of(result)))).size > 1)
    .map(([field]) => field);
}
