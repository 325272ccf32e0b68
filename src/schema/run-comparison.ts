/** Schemas of paired differences between runs. */
import { z } from 'zod';

/** How a run stands against the base by a metric. */
export const verdicts = ['better', 'worse', 'undecided', 'unknown'] as const;

export const runDifferenceSchema = z
  .object({
    metric: z.string().describe('A metric of `strict`.'),
    sae: z.string().describe('Label in the base, with the setting of a point of a sweep.'),
    otherSae: z.string().describe('Label in the other run.'),
    base: z.number().describe('Mean in the base.'),
    other: z.number().describe('Mean in the other run.'),
    difference: z.number().describe('Mean of the other run minus that of the base.'),
    ci95: z
      .tuple([z.number(), z.number()])
      .nullable()
      .describe(
        '95 % interval of the difference, on the same resamples of both; null of metrics without ' +
          'intervals, and of fewer than 20 sequences.',
      ),
    ratio: z.number().optional().describe('Left out if the means are not both above 0.'),
    ratioCi95: z.tuple([z.number(), z.number()]).optional(),
    verdict: z
      .enum(verdicts)
      .describe(
        '`better` or `worse`: the interval leaves 0 out; `undecided`: it does not; `unknown`: ' +
          'there is no interval, or no direction is better.',
      ),
  })
  .meta({ id: 'RunDifference' });

export const comparedRunSchema = z.object({
  id: z.string().describe('Id of the evaluation.'),
  name: z.string().describe('How the caller called it.'),
});

export const runComparisonSchema = z
  .object({
    base: comparedRunSchema,
    sequences: z.number().int().describe('Sequences that are compared in pairs.'),
    runs: z.array(
      comparedRunSchema.extend({
        differences: z.array(runDifferenceSchema),
        left: z
          .array(z.object({ sae: z.string(), reason: z.string() }))
          .describe('SAEs that could not be compared, and why.'),
      }),
    ),
  })
  .meta({ id: 'RunComparison' });

export const runComparisonRequestSchema = z
  .strictObject({
    base: z
      .string()
      .min(1)
      .max(100)
      .describe('Id of the evaluation that others are compared with.'),
    others: z.array(z.string().min(1).max(100)).min(1).max(16).describe('Ids of the others.'),
    metrics: z
      .array(z.string().min(1).max(100))
      .min(1)
      .max(50)
      .optional()
      .describe('Metrics of `strict`; default: all that both have.'),
  })
  .meta({
    id: 'RunComparisonRequest',
    examples: [{ base: 'id of one', others: ['id of another'], metrics: ['KLDivPerToken'] }],
  });

export type Verdict = (typeof verdicts)[number];
export type RunDifference = z.infer<typeof runDifferenceSchema>;
export type RunComparison = z.infer<typeof runComparisonSchema>;
export type RunComparisonRequest = z.input<typeof runComparisonRequestSchema>;
