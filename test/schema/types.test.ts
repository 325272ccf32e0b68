/**
 * The types of requests and results: made from the schemas, with the words of the schemas, and
 * equal to what zod infers.
 */
import { format } from 'prettier';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import * as schema from '#src/schema/index.js';
import { root } from '../golden/load.js';
import { declarations, definitions } from './declarations.js';

const head = (what: string, imports: string): string =>
  `/**
 * ${what}.
 * Made from the schemas by \`npx vitest run test/schema --update\`: do not edit.
 */
${imports}

`;

async function pretty(text: string): Promise<string> {
  return format(text, { parser: 'typescript', printWidth: 100, singleQuote: true });
}

const requests = definitions([schema.requestSchema], 'input');
const results = definitions(
  [
    schema.evaluationRecordSchema,
    schema.evaluationSummarySchema,
    schema.evaluationListSchema,
    schema.resultSchema,
  ],
  'output',
);
const imported = [
  ...['ReferenceValues', 'StrictValues', 'ReplacementValues', 'Estimate', 'DensityHistogram'],
  'PerLayer',
  ...['Bilingual', 'Exclude'],
];

describe('the declarations', () => {
  it('of a request are those of its schema', async () => {
    await expect(
      await pretty(
        head(
          'Requests as users write them',
          'import type { FloatDtype, MetricName, NormalizationName, SaeKind } ' +
            "from '../names.js';",
        ) + declarations(requests, { imported: [] }),
      ),
    ).toMatchFileSnapshot(`${root}src/schema/generated/request-types.ts`);
  });

  it('of results and records are those of their schemas', async () => {
    await expect(
      await pretty(
        head(
          'Results and records as servers and `evaluate` give them',
          `import type { Bilingual } from '../../bilingual.js';
           import type { ReferenceValues, StrictValues } from '../../metrics/table.js';
           import type {
             FloatDtype, MetricName, NormalizationName, SaeKind,
           } from '../names.js';
           import type { PerLayer, ReplacementValues } from '../result.js';
           import type { EvaluationStatus } from '../status.js';
           import type { Exclude } from './request-types.js';`,
        ) + declarations(results, { imported }),
      ),
    ).toMatchFileSnapshot(`${root}src/schema/generated/result-types.ts`);
  });

  it('say what each field of a request is', () => {
    for (const [name, { properties = {} }] of requests)
      for (const [field, { description }] of Object.entries(properties))
        if (name !== 'Exclude') expect([name, field, description]).not.toContain(undefined);
  });
});

/** `true` if each can stand for the other. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

it('are the types that zod infers', () => {
  const same: [
    Same<schema.EvaluationRequest, z.input<typeof schema.requestSchema>>,
    Same<schema.ResolvedRequest, z.output<typeof schema.resolvedRequestSchema>>,
    Same<schema.SaeSpec, z.output<typeof schema.saeSpecSchema>>,
    Same<schema.ResolvedSaeSpec, z.output<typeof schema.resolvedSaeSpecSchema>>,
    Same<schema.EvaluationResult, z.infer<typeof schema.resultSchema>>,
    Same<schema.SaeResult, z.infer<typeof schema.saeResultSchema>>,
    Same<schema.EvaluationSummary, z.infer<typeof schema.evaluationSummarySchema>>,
    Same<schema.EvaluationRecord, z.infer<typeof schema.evaluationRecordSchema>>,
    Same<schema.EvaluationList, z.infer<typeof schema.evaluationListSchema>>,
  ] = [true, true, true, true, true, true, true, true, true];
  expect(same).not.toContain(false);
});
