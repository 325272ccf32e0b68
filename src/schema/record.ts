/**
 * Schemas of the HTTP interface beside requests and results: records of evaluations, their events,
 * and problems (RFC 9457). Validation, types, OpenAPI and the client are made from them.
 */
import { z } from 'zod';
import { resolvedRequestFields } from './request.js';
import { bilingualSchema, resultSchema, saeResultSchema } from './result.js';
import { skippedSchema } from './skipped.js';
import { evaluationStatuses } from './status.js';

export * from './status.js';

export const reportFormats = ['md', 'html', 'json', 'csv'] as const;
export const reportLanguages = ['en', 'zh'] as const;
/** Largest `?wait=`, in seconds. */
export const longestWait = 300;

export const timestamp = z.string().describe('Time, ISO 8601 in UTC.');

export const fieldErrorSchema = z
  .object({
    path: z.string().describe('Path of the field, such as `saes[2].layer`.'),
    message: z.string().describe('What is wrong with the field.'),
  })
  .meta({ id: 'FieldError' });

export const problemSchema = z
  .object({
    type: z
      .string()
      .describe(
        'URI reference of the problem type, such as `/problems/sae-option`; it does not change ' +
          'between versions.',
      ),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string().describe('Code of the error: the last part of `type`.'),
    instance: z.string().optional().describe("Id of the HTTP request, as in the server's log."),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457).' });

export const progressSchema = z
  .object({
    samples: z.number().int().describe('Number of samples done, in the current batch too.'),
    total: z.number().int().nullable().describe('Number of samples; null until it is known.'),
    batches: z
      .number()
      .int()
      .describe('Number of finished batches; a killed run continues after them.'),
    samplesPerSecond: z.number(),
    secondsLeft: z.number().nullable(),
    truncatedTokens: z.number().int().optional().describe('Tokens lost to truncation so far.'),
    skipped: z
      .array(skippedSchema)
      .optional()
      .describe('Every reason for which records were skipped so far, with the first example.'),
    shards: z
      .object({
        done: z.number().int(),
        running: z.number().int(),
        total: z.number().int(),
        lost: z
          .number()
          .int()
          .describe('Number of attempts that were lost; each was made again, or will be.'),
      })
      .optional()
      .describe('Shards of a run that several workers or devices compute.'),
  })
  .meta({ id: 'Progress' });

export const recordErrorSchema = z
  .object({ code: z.string(), message: z.string(), fields: z.array(fieldErrorSchema).optional() })
  .meta({ id: 'RecordError' });

export const resolvedRequestSchema = z.object(resolvedRequestFields.shape).meta({
  id: 'ResolvedRequest',
  description: 'A request with every default filled in.',
});

export const evaluationSummarySchema = z
  .object({
    id: z.string(),
    status: z.enum(evaluationStatuses),
    createdAt: timestamp,
    startedAt: timestamp.nullable(),
    endedAt: timestamp.nullable(),
    request: resolvedRequestSchema,
    device: z
      .string()
      .describe('Device that it asks for; `config.device` of the result is the one that it had.'),
    submittedBy: z
      .string()
      .nullable()
      .describe('Label of the API key that submitted it; null without keys.'),
    shared: z
      .boolean()
      .describe(
        'Whether other API keys may read it: as its request says, else as the server is set.',
      ),
    stopped: z
      .boolean()
      .describe('Whether it was stopped and has a result over the samples done until then.'),
    rerunOf: z
      .string()
      .nullable()
      .describe('Id of the evaluation that this one repeats, with or without changes; else null.'),
    position: z
      .number()
      .int()
      .nullable()
      .describe(
        'Position in the queue of its device, from 1; null if it does not wait, or no device of ' +
          'the machine takes it.',
      ),
    waitingFor: bilingualSchema
      .nullable()
      .describe('The device that it waits for if this machine does not have it now; else null.'),
    attempts: z.number().int().describe('Number of times a compute process started it.'),
    progress: progressSchema.nullable(),
    error: recordErrorSchema.nullable(),
  })
  .meta({ id: 'EvaluationSummary' });

export const evaluationRecordSchema = evaluationSummarySchema
  .extend({ result: resultSchema.nullable().describe('Null until the evaluation has ended.') })
  .meta({ id: 'EvaluationRecord' });

/** An event of a stream; `Last-Event-ID` with its id resumes after it. */
export const evaluationEventSchema = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('progress'),
    id: z.string(),
    data: z.object({
      status: z.enum(evaluationStatuses),
      progress: progressSchema.nullable(),
      waitingFor: evaluationSummarySchema.shape.waitingFor
        .optional()
        .describe('That of the record, if it is not null.'),
    }),
  }),
  z.object({ event: z.literal('result'), id: z.string(), data: saeResultSchema }),
  z.object({ event: z.literal('end'), id: z.string(), data: evaluationSummarySchema }),
]);

export const comparisonRequestSchema = z
  .strictObject({
    evaluations: z
      .array(z.string().min(1).max(100))
      .min(1)
      .max(64)
      .describe('Ids of ended evaluations.'),
    format: z.enum(reportFormats).default('md'),
    lang: z.enum(reportLanguages).default('en'),
  })
  .meta({
    id: 'ComparisonRequest',
    examples: [{ evaluations: ['id of one', 'id of another'], format: 'md', lang: 'en' }],
  });

export type ReportFormat = (typeof reportFormats)[number];
export type ReportLanguage = (typeof reportLanguages)[number];
export type {
  EvaluationRecord,
  EvaluationSummary,
  Progress,
  RecordError,
} from './generated/result-types.js';
export type Problem = z.infer<typeof problemSchema>;
export type EvaluationEvent = z.infer<typeof evaluationEventSchema>;
export type ComparisonRequest = z.input<typeof comparisonRequestSchema>;
