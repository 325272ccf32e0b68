/**
 * Schemas of the HTTP interface beside requests and results: records of evaluations, their events,
 * problems (RFC 9457), and lists of files, models and devices. Validation, types, OpenAPI and the
 * client are made from them.
 */
import { z } from 'zod';
import { protocolNames, requestFields, saeKinds } from './request.js';
import { bilingualSchema, resultSchema, saeResultSchema } from './result.js';
import { evaluationStatuses } from './status.js';

export * from './status.js';

export const reportFormats = ['md', 'html', 'json', 'csv'] as const;
export const reportLanguages = ['en', 'zh'] as const;
/** Largest `?wait=`, in seconds. */
export const longestWait = 300;

const timestamp = z.string().describe('Time, ISO 8601 in UTC.');

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
  })
  .meta({ id: 'Progress' });

export const recordErrorSchema = z
  .object({ code: z.string(), message: z.string(), fields: z.array(fieldErrorSchema).optional() })
  .meta({ id: 'RecordError' });

export const evaluationSummarySchema = z
  .object({
    id: z.string(),
    status: z.enum(evaluationStatuses),
    createdAt: timestamp,
    startedAt: timestamp.nullable(),
    endedAt: timestamp.nullable(),
    request: z.object(requestFields.shape).describe('The request with every default filled in.'),
    device: z.string().describe('Device of the evaluation.'),
    submittedBy: z
      .string()
      .nullable()
      .describe('Label of the API key that submitted it; null without keys.'),
    position: z
      .number()
      .int()
      .nullable()
      .describe('Position in the queue of its device, from 1; null if it does not wait.'),
    attempts: z.number().int().describe('Number of times a compute process started it.'),
    progress: progressSchema.nullable(),
    error: recordErrorSchema.nullable(),
  })
  .meta({ id: 'EvaluationSummary' });

export const evaluationRecordSchema = evaluationSummarySchema
  .extend({ result: resultSchema.nullable().describe('Null until the evaluation has ended.') })
  .meta({ id: 'EvaluationRecord' });

export const evaluationListSchema = z
  .object({ items: z.array(evaluationSummarySchema), nextCursor: z.string().nullable() })
  .meta({ id: 'EvaluationList' });

/** An event of a stream; `Last-Event-ID` with its id resumes after it. */
export const evaluationEventSchema = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('progress'),
    id: z.string(),
    data: z.object({ status: z.enum(evaluationStatuses), progress: progressSchema.nullable() }),
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
  .meta({ id: 'ComparisonRequest' });

export const deviceSchema = z
  .object({
    name: z.string().describe('Name in a request: `cpu`, `cuda:0`, ….'),
    description: z.string(),
    totalBytes: z.number().nullable(),
    freeBytes: z.number().nullable(),
    isDefault: z.boolean(),
    running: z.string().nullable().describe('Id of the running evaluation.'),
    queued: z.number().int().describe('Number of waiting evaluations.'),
  })
  .meta({ id: 'Device' });
export const deviceListSchema = z
  .object({ items: z.array(deviceSchema) })
  .meta({ id: 'DeviceList' });

export const kindSchema = z
  .object({
    kind: z.enum(saeKinds),
    summary: bilingualSchema,
    layer: z
      .enum(['required', 'drawn', 'routed'])
      .describe(
        'Whether a request gives `layer`, the seed draws it, or the kind spans several layers.',
      ),
    hasK: z.boolean().describe('Whether a request gives `k`.'),
    hasRouting: z.boolean().describe('Whether a request gives `aggregation` and `routing`.'),
    tensors: z
      .record(z.string(), z.array(z.string()))
      .describe('Names and shapes of tensors in terms of d, m and R; Crosscoder: for two layers.'),
  })
  .meta({ id: 'Kind' });
export const kindListSchema = z.object({ items: z.array(kindSchema) }).meta({ id: 'KindList' });

export const metricSchema = z
  .object({
    name: z.string().describe('Name in `metrics` of a request.'),
    needs: z
      .object({ splice: z.boolean(), zero: z.boolean() })
      .describe('Passes that the metric needs: with the splice, and with the site set to zero.'),
    fields: z.array(
      z.object({
        protocol: z.enum(protocolNames),
        field: z.string().describe('Name in the values of a result under the protocol.'),
        name: bilingualSchema,
        meaning: bilingualSchema,
        unit: z.string().nullable().describe('Null for ratios without a unit.'),
        better: z.enum(['lower', 'higher', 'neither']),
        shape: z
          .enum(['number', 'estimate', 'list', 'histogram'])
          .describe(
            'number; estimate: `{ mean, ci95 }`; list: a number for each routed layer; ' +
              'histogram: latents by firing rate.',
          ),
        interval: z.boolean().describe('Whether it has a 95 % interval.'),
        perLayer: z.boolean().describe('Whether kinds with several layers have it for each layer.'),
        compared: z.boolean().describe('Whether a result has paired differences between SAEs.'),
      }),
    ),
  })
  .meta({ id: 'Metric' });
export const metricListSchema = z
  .object({ items: z.array(metricSchema) })
  .meta({ id: 'MetricList' });

export const fieldFindingSchema = z
  .object({
    field: z.string().describe('Name of a field of `saes[]`.'),
    state: z
      .enum(['required', 'known', 'optional'])
      .describe(
        '`required`: a request must give it. `known`: the file has the value; a ' +
          'request may replace ' +
          'it. `optional`: it has a default.',
      ),
    value: z
      .union([z.string(), z.number(), z.boolean()])
      .optional()
      .describe('Value in the file, or default.'),
    reason: z.string().describe('Why the field is required, or source of its value.'),
  })
  .meta({ id: 'FieldFinding' });

export const saeChoiceSchema = z
  .object({
    kind: z.enum(saeKinds),
    layer: z.number().int().nullable().describe('Layer in the file, 0…L; null if it names none.'),
    layers: z
      .array(z.number().int())
      .nullable()
      .describe('Layers of a crosscoder; null for other kinds.'),
    site: z.string().nullable().describe('Site inside the block; null for the residual stream.'),
    k: z.number().int().nullable().describe('Number of active latents in the file.'),
    normalization: z.string().describe('How activations become the SAE’s input.'),
    fields: z.array(fieldFindingSchema).describe('Fields that a request may give with this kind.'),
  })
  .meta({ id: 'SaeChoice', description: 'A kind that a checkpoint can be evaluated as.' });

/** Facts of a checkpoint that lists and inspections share. */
const choiceFields = {
  kindKnown: z.boolean().describe('Whether a request may omit `kind`.'),
  namedKind: z.enum(saeKinds).nullable().describe('Kind in the name of the file.'),
  obstacle: z
    .string()
    .nullable()
    .describe('Why no request can evaluate the file; null if one can.'),
  choices: z.array(saeChoiceSchema).describe('The candidates in detail, nearest first.'),
};

export const checkpointSchema = z
  .object({
    path: z.string().describe('Path in a request.'),
    bytes: z.number(),
    modifiedAt: timestamp,
    format: z.string().nullable(),
    candidates: z.array(z.enum(saeKinds)).describe('Kinds that it can be evaluated as.'),
    d: z.number().int().nullable().describe('Width of its input.'),
    m: z.number().int().nullable().describe('Number of latents.'),
    routedLayers: z.number().int().nullable().describe('RouteSAE: number of routed layers.'),
    ...choiceFields,
    error: recordErrorSchema.nullable().describe('Why the file cannot be read as an SAE.'),
  })
  .meta({ id: 'Checkpoint' });
export const checkpointListSchema = z
  .object({
    items: z.array(checkpointSchema),
    truncated: z.boolean().describe('Whether there are more files than are listed.'),
  })
  .meta({ id: 'CheckpointList' });

/** Description of an SAE in a published format. */
export const publishedSchema = z
  .object({
    format: z
      .string()
      .describe(
        'Format: saelens, dictionary_learning, sparsify, gemma-scope, llama-scope, openmoss, ' +
          'openai, mlsae or crosscoder.',
      ),
    hookPoints: z.array(z.string()).describe('Names of hook points in the file.'),
    layers: z
      .array(z.number().int())
      .nullable()
      .describe('Layers of the hook points, 0…L; null if a hook point is unknown.'),
    activation: z.string(),
    k: z.number().int().nullable(),
    normalization: z.string().describe('Transformation of activations into its input.'),
    subtractsDecoderBias: z
      .boolean()
      .nullable()
      .describe('Whether the encoder subtracts the decoder bias; null for crosscoders.'),
    decoderNorm: z
      .enum(['none', 'selection', 'latents'])
      .describe(
        'Use of decoder norms: `selection` ranks latents by them, `latents` also scales latents.',
      ),
    fromPath: z
      .object({ width: z.string(), averageL0: z.number() })
      .partial()
      .optional()
      .describe(
        'Facts in the names of its folders: width as written, mean number of active latents.',
      ),
    obstacle: z.string().nullable().describe('Why it cannot be evaluated; null if it can.'),
    missing: z.array(fieldErrorSchema).describe('Fields that a request must give, and why.'),
    notes: z.array(bilingualSchema),
  })
  .meta({ id: 'PublishedSae' });

export const checkpointDescriptionSchema = z
  .object({
    path: z.string(),
    format: z.string(),
    prefix: z.string().describe('Prefix that was removed from the names of tensors.'),
    tensors: z.array(
      z.object({ name: z.string(), dtype: z.string(), shape: z.array(z.number().int()) }),
    ),
    values: z.record(z.string(), z.string()).describe('Values in the file beside tensors.'),
    others: z
      .array(z.string())
      .optional()
      .describe('Paths of tensors beside the state dict, the first hundred.'),
    candidates: z.array(z.enum(saeKinds)).describe('Kinds that it can be evaluated as.'),
    needs: z.array(z.string()).describe('Fields that a request must give, as text.'),
    d: z.number().int().nullable(),
    m: z.number().int().nullable(),
    routedLayers: z.number().int().nullable(),
    mustGive: z
      .record(z.string(), z.array(z.string()))
      .describe('Fields that a request must give, by candidate.'),
    named: z
      .object({ layer: z.number().int().optional(), k: z.number().int().optional() })
      .optional()
      .describe("Values in the file's name, used if a request omits them."),
    ...choiceFields,
    published: publishedSchema.nullable().optional().describe('Null for bare state dicts.'),
  })
  .meta({ id: 'CheckpointDescription' });

export const modelSchema = z
  .object({
    path: z.string().describe('Path in a request.'),
    source: z.enum(['root', 'hugging-face']),
    family: z.string().nullable(),
    layers: z.number().int().nullable(),
    width: z.number().int().nullable(),
    vocabulary: z.number().int().nullable(),
    maxPositions: z.number().int().nullable(),
    error: recordErrorSchema.nullable().describe('Why the model cannot be used.'),
  })
  .meta({ id: 'Model' });
export const modelListSchema = z
  .object({ items: z.array(modelSchema), truncated: z.boolean() })
  .meta({ id: 'ModelList' });

export const datasetEntrySchema = z
  .object({
    path: z.string().describe('Path in a request.'),
    files: z.number().int().describe('Number of files.'),
    bytes: z.number(),
  })
  .meta({ id: 'DatasetEntry' });
export const datasetListSchema = z
  .object({ items: z.array(datasetEntrySchema), truncated: z.boolean() })
  .meta({ id: 'DatasetList' });

export type ReportFormat = (typeof reportFormats)[number];
export type ReportLanguage = (typeof reportLanguages)[number];
export type Problem = z.infer<typeof problemSchema>;
export type Progress = z.infer<typeof progressSchema>;
export type RecordError = z.infer<typeof recordErrorSchema>;
export type EvaluationSummary = z.infer<typeof evaluationSummarySchema>;
export type EvaluationRecord = z.infer<typeof evaluationRecordSchema>;
export type EvaluationList = z.infer<typeof evaluationListSchema>;
export type EvaluationEvent = z.infer<typeof evaluationEventSchema>;
export type ComparisonRequest = z.input<typeof comparisonRequestSchema>;
export type Device = z.infer<typeof deviceSchema>;
export type Kind = z.infer<typeof kindSchema>;
export type MetricEntry = z.infer<typeof metricSchema>;
export type CheckpointEntry = z.infer<typeof checkpointSchema>;
export type SaeChoice = z.infer<typeof saeChoiceSchema>;
export type PublishedSae = z.infer<typeof publishedSchema>;
export type CheckpointDescription = z.infer<typeof checkpointDescriptionSchema>;
export type ModelEntry = z.infer<typeof modelSchema>;
export type DatasetEntry = z.infer<typeof datasetEntrySchema>;
