/** Lists of evaluations: what an item says of its numbers, and what a list is sorted by. */
import { z } from 'zod';
import type { Better, Protocol } from '../metrics/metric.js';
import { scalarFieldsOf } from '../metrics/table.js';
import { evaluationSummarySchema } from './record.js';
import { protocolNames, saeKinds } from './names.js';

/** A value of a result that is a single number, such as `strict.KLDivPerToken`. */
export interface HeadlineField {
  key: `${Protocol}.${string}`;
  protocol: Protocol;
  field: string;
  better: Better;
}

export const headlineFields: readonly HeadlineField[] = protocolNames.flatMap((protocol) =>
  scalarFieldsOf(protocol).map(({ field, better }) => ({
    key: `${protocol}.${field}` as const,
    protocol,
    field,
    better,
  })),
);

/** Most SAEs in a headline. */
export const headlineSaes = 20;

export const headlineSchema = z
  .object({
    saes: z
      .array(
        z.object({
          label: z.string(),
          kind: z.enum(saeKinds),
          values: z
            .record(z.string(), z.number())
            .describe(
              'Values that are single numbers, such as `strict.KLDivPerToken` (a mean) and ' +
                '`reference.KLDiv`; those that the SAE does not have are left out.',
            ),
        }),
      )
      .describe(`The first ${headlineSaes} SAEs, in the order of the request.`),
    more: z.number().int().describe('Number of further SAEs.'),
    seconds: z.number().nullable().describe('Compute time.'),
  })
  .meta({ id: 'Headline', description: 'The numbers of a result that a list shows.' });

export const listSorts = [
  'createdAt',
  'name',
  'model',
  'status',
  'seconds',
  ...headlineFields.map(({ key }) => key),
] as const;
export const sortOrders = ['asc', 'desc'] as const;

export const evaluationListSchema = z
  .object({
    items: z.array(
      evaluationSummarySchema
        .extend({ headline: headlineSchema.nullable().describe('Null until there is a result.') })
        .meta({ id: 'EvaluationListItem' }),
    ),
    nextCursor: z.string().nullable(),
    damaged: z
      .array(z.string())
      .describe('Ids of evaluations that are left out because their records are damaged.'),
  })
  .meta({ id: 'EvaluationList' });

export type ListSort = (typeof listSorts)[number];
export type SortOrder = (typeof sortOrders)[number];
export type { EvaluationList, EvaluationListItem, Headline } from './generated/result-types.js';
