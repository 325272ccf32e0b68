/**
 * The request of an evaluation: one zod schema from which validation, TypeScript types, OpenAPI and
 * the client come.
 */
import { kinds, type SaeKind } from '../sae/kinds/kinds.js';
import { z } from 'zod';
import type { Protocol } from '../metrics/metric.js';
import { metrics, type MetricName } from '../metrics/table.js';

export const saeKinds = kinds.map(({ kind }) => kind) as [SaeKind, ...SaeKind[]];
export const metricNames: readonly MetricName[] = metrics.map(({ name }) => name);
export const protocolNames = ['reference', 'strict'] as const satisfies readonly Protocol[];
export const floatDtypes = ['float32', 'bfloat16', 'float16'] as const;

const path = z
  .string()
  .min(1)
  .max(4096)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL character');
const positiveInt = z.number().int().min(1);
const oneOrMany = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1).max(64)]);

export const saeSpecSchema = z
  .strictObject({
    checkpoint: path.describe(
      'Checkpoint file, or a folder or file in a published format, below one of the roots.',
    ),
    kind: z.enum(saeKinds).optional().describe('Required where the file alone cannot tell.'),
    layer: positiveInt
      .optional()
      .describe(
        '1…L. Required for TopK, Vanilla, Gated, JumpReLU unless the file names a hook ' +
          'point or its name a layer; drawn for RandomK.',
      ),
    k: positiveInt
      .optional()
      .describe(
        'Active latents, 1…m. Required for TopK, RouteSAE, MLSAE, RandomK unless the ' +
          'configuration beside the file or its name has it.',
      ),
    scale: z
      .union([z.number().positive(), z.array(z.number().positive()).min(1).max(256)])
      .optional()
      .describe(
        "Published formats whose files do not hold it: the number the SAE's input is " +
          'multiplied by (crosscoders: one for each site).',
      ),
    centered: z
      .boolean()
      .optional()
      .describe(
        'Published formats: whether the SAE was trained on a residual stream without its ' +
          "mean (TransformerLens' center_writing_weights), where the file does not say.",
      ),
    aggregation: z.enum(['sum', 'mean']).optional().describe('RouteSAE only; default sum.'),
    routing: z.enum(['hard', 'soft']).optional().describe('RouteSAE only; default hard.'),
    label: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Unique; default the kind, numbered if repeated.'),
  })
  .meta({ id: 'SaeSpec' });

export const datasetSchema = z
  .strictObject({
    path: path.describe(
      'A .jsonl file, or a folder of them; compressed ones (.gz, .zst), .parquet or .txt ' +
        'where there is no .jsonl.',
    ),
    textField: z
      .string()
      .min(1)
      .max(200)
      .default('text')
      .describe('Field of a record with its text, or a dotted path to it.'),
    tokensField: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Field with token ids, used instead of a text.'),
    chunking: z
      .enum(['words', 'document', 'packed'])
      .optional()
      .describe(
        'words (default): the protocols’ chunks of seqLen words. document: a record is a ' +
          'sample. packed: all tokens one after the other.',
      ),
    shuffle: z
      .number()
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .optional()
      .describe('Seed of a shuffle of the samples; default none.'),
    maxSamples: positiveInt.max(100_000_000).default(10_000),
    seqLen: z
      .number()
      .int()
      .min(2)
      .max(1_048_576)
      .default(512)
      .describe('Tokens per sample; at most the positions of the model.'),
  })
  .meta({ id: 'Dataset' });

/** The fields alone; {@link requestSchema} adds what holds between them. */
export const requestFields = z.strictObject({
  model: path.describe('Folder of a Hugging Face model.'),
  dataset: datasetSchema,
  saes: z.array(saeSpecSchema).min(1).max(256),
  metrics: z
    .array(z.enum(metricNames))
    .min(1)
    .default([...metricNames]),
  protocol: z
    .array(z.enum(protocolNames))
    .min(1)
    .default([...protocolNames]),
  batchSize: positiveInt
    .max(1_000_000)
    .default(64)
    .describe("Samples per batch of `reference`'s averages; says nothing about memory."),
  device: z
    .string()
    .regex(/^(cpu|cuda(:\d{1,3})?)$/, 'expected cpu, cuda or cuda:N')
    .optional()
    .describe('Default: cuda if there is one, else cpu.'),
  dtype: z.enum(floatDtypes).default('float32').describe('Of the language model.'),
  saeDtype: z.enum(floatDtypes).default('float32'),
  inferK: oneOrMany(positiveInt)
    .optional()
    .describe('Overrides the number of active latents; a list makes a sweep.'),
  theta: oneOrMany(z.number())
    .optional()
    .describe('Keeps latents above it instead; a list makes a sweep.'),
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(42),
});

export const requestSchema = requestFields
  .refine((request) => request.inferK === undefined || request.theta === undefined, {
    path: ['theta'],
    message: 'inferK and theta exclude each other: give one of them',
  })
  .meta({ id: 'EvaluationRequest' });

export type { SaeKind };
export type { MetricName };
export type ProtocolName = (typeof protocolNames)[number];
export type FloatDtype = (typeof floatDtypes)[number];
export type SaeSpec = z.infer<typeof saeSpecSchema>;
/** A request as typed by a user, defaults left out. */
export type EvaluationRequest = z.input<typeof requestSchema>;
/** A request with the schema's defaults filled in. */
export type ResolvedRequest = z.output<typeof requestSchema>;
