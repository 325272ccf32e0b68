/** Whether the numbers of several evaluations may be ranked against each other. */
import type { EvaluationResult } from '../schema/index.js';

/**
 * What must be equal, by the field it is named with in a report. A batch size changes `reference`'s
 * averages alone.
 */
const conditions: readonly (readonly [field: string, of: (result: EvaluationResult) => unknown])[] =
  [
    ['model', ({ config }) => config.model],
    [
      'data',
      ({ config: { dataset } }) => [
        dataset.path,
        dataset.textField,
        dataset.tokensField,
        dataset.chunking,
        dataset.shuffle,
      ],
    ],
    ['samples', ({ data }) => data.samples],
    ['seqLen', ({ config }) => config.dataset.seqLen],
    ['dtype', ({ config }) => [config.dtype, config.saeDtype]],
  ];
const ofReference: typeof conditions = [['batchSize', ({ config }) => config.batchSize]];

/**
 * The fields in which evaluations differ so that a protocol's numbers cannot be ranked; empty where
 * they can.
 */
export function differingFields(
  results: readonly EvaluationResult[],
  protocol: 'reference' | 'strict',
): string[] {
  return [...conditions, ...(protocol === 'reference' ? ofReference : [])]
    .filter(([, of]) => new Set(results.map((result) => JSON.stringify(of(result)))).size > 1)
    .map(([field]) => field);
}
