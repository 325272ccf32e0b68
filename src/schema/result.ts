/**
 * The result of an evaluation (`report.json`), as zod schemas. Imports nothing native.
 *
 * `reference` values are plain numbers, `strict` values objects with a mean and, where one is
 * defined, a 95 % interval. A metric that does not exist for a kind under a protocol, or was not
 * asked for, is null; `notes` says why.
 */
import { z } from 'zod';
import { bilingualSchema, type Bilingual } from '../bilingual.js';
import { protocolNames, requestFields, saeKinds } from './request.js';

export { bilingualSchema };

const nullableNumber = z.number().nullable();

export const estimateSchema = z
  .object({
    mean: z.number(),
    ci95: z
      .tuple([z.number(), z.number()])
      .nullable()
      .optional()
      .describe('95 % percentile bootstrap over sequences; null with fewer than 20.'),
  })
  .meta({ id: 'Estimate' });

export const densityHistogramSchema = z
  .object({
    log10: z
      .array(z.number())
      .describe('The 41 edges of 40 bins over log10 of the firing rate, −6…0.'),
    count: z
      .array(z.number())
      .describe('Latents per bin; the lowest bin also takes smaller rates.'),
    dead: z.number().describe('Latents that never fired.'),
  })
  .meta({ id: 'DensityHistogram' });

export const referenceValuesSchema = z
  .object({
    NormMSE: nullableNumber,
    KLDiv: nullableNumber.describe('Nats per sequence, padding included.'),
    DeltaCE: nullableNumber,
    Recovered: nullableNumber,
    RoutedPositions: z
      .array(z.number())
      .nullable()
      .describe('RouteSAE: positions per routed layer.'),
  })
  .meta({ id: 'ReferenceValues' });

const nullableEstimate = estimateSchema.nullable();

export const strictValuesSchema = z
  .object({
    NormMSE: nullableEstimate,
    KLDivPerToken: nullableEstimate,
    KLDivPerSequence: nullableEstimate,
    DeltaCE: nullableEstimate,
    Recovered: nullableEstimate,
    L0: nullableEstimate,
    L0OverHidden: nullableEstimate,
    DeadLatents: nullableEstimate.describe('The share of latents never active in the run.'),
    ExplainedVariance: nullableEstimate,
    CosineSimilarity: nullableEstimate,
    NormRatio: nullableEstimate.describe(
      'Norm of the reconstruction over the norm of the input: √(Σ‖x̂‖² / Σ‖x‖²).',
    ),
    RoutingShare: z
      .array(z.number())
      .nullable()
      .describe('RouteSAE: share of real positions per routed layer.'),
    DensityHistogram: densityHistogramSchema.nullable(),
  })
  .meta({ id: 'StrictValues' });

export const perLayerSchema = z
  .object({
    layer: z.number().int(),
    reference: z
      .object({
        NormMSE: nullableNumber,
        KLDiv: nullableNumber,
        DeltaCE: nullableNumber,
        Recovered: nullableNumber,
        splicedAt: z.number().int().nullable(),
      })
      .nullable(),
    strict: z
      .object({
        NormMSE: nullableEstimate,
        KLDivPerToken: nullableEstimate,
        KLDivPerSequence: nullableEstimate,
        DeltaCE: nullableEstimate,
        Recovered: nullableEstimate,
        splicedAt: z.number().int().nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'PerLayer' });

export const sweepPointSchema = z
  .object({
    inferK: z.number().int().optional(),
    theta: z.number().optional(),
    reference: referenceValuesSchema.nullable(),
    strict: strictValuesSchema.nullable(),
  })
  .meta({ id: 'SweepPoint' });

export const noteSchema = z
  .object({ metric: z.string() })
  .extend(bilingualSchema.shape)
  .meta({ id: 'Note' });

export const resultErrorSchema = z
  .object({ code: z.string(), message: z.string() })
  .meta({ id: 'ResultError' });

export const saeResultSchema = z
  .object({
    label: z.string(),
    kind: z.enum(saeKinds),
    checkpoint: z.string(),
    format: z
      .string()
      .optional()
      .describe('Whose layout the checkpoint has: routesae, saelens, dictionary_learning, …'),
    hookPoint: z
      .string()
      .nullable()
      .optional()
      .describe('Where it was trained, as the checkpoint names it; null where it does not.'),
    normalization: z
      .string()
      .optional()
      .describe(
        'What makes activations its input, and so the space its errors are measured in: ' +
          'pre, none, layer-norm, token-norm or scale, with `centred, ` before it where ' +
          'the mean is taken off first.',
      ),
    site: z
      .enum(['attn_z', 'attn_out', 'resid_mid', 'mlp_out'])
      .optional()
      .describe(
        'Where inside the block of its layer it reads and writes; left out: the residual ' +
          'stream after it.',
      ),
    layer: z.number().int().optional().describe('Single-layer kinds.'),
    layers: z.array(z.number().int()).optional().describe('Kinds with several layers.'),
    d: z.number().int().nullable().describe('Width of the residual stream.'),
    m: z.number().int().nullable().describe('Latents.'),
    k: z.number().int().nullable().describe('Active latents, for kinds that have a k.'),
    routing: z.enum(['hard', 'soft']).nullable(),
    aggregation: z.enum(['sum', 'mean']).nullable(),
    error: resultErrorSchema.nullable(),
    reference: referenceValuesSchema.nullable(),
    strict: strictValuesSchema.nullable(),
    perLayer: z.array(perLayerSchema).nullable(),
    sweep: z.array(sweepPointSchema).nullable(),
    notes: z.array(noteSchema),
  })
  .meta({ id: 'SaeResult' });

export const comparisonSchema = z
  .object({
    metric: z.string().describe('A metric of `strict`.'),
    a: z.string(),
    b: z.string(),
    difference: z.number().describe("a's mean minus b's."),
    ci95: z.tuple([z.number(), z.number()]).nullable(),
  })
  .meta({ id: 'Comparison' });

export const findingSchema = z
  .object({
    severity: z.enum(['info', 'warning', 'error']),
    code: z.string(),
    sae: z.string().nullable().describe('The label it is about; null: the run.'),
    message: bilingualSchema,
    evidence: z.record(z.string(), z.union([z.number(), z.string()])),
  })
  .meta({ id: 'Finding' });

export const configSchema = z
  .object({
    ...requestFields.shape,
    device: z.string(),
    deviceName: z.string(),
    architecture: z.object({
      family: z.string(),
      layers: z.number().int(),
      width: z.number().int(),
      vocabulary: z.number().int(),
      parameters: z.number().int(),
    }),
    threads: z.number().int(),
    microBatch: z
      .object({ sequences: z.number().int(), logits: z.number().int() })
      .describe('Sequences that go through the model together; logits held at a time.'),
    saeProducts: z
      .enum(['float32', 'bfloat16-parts'])
      .default('float32')
      .describe('How products of SAEs in float32 are computed.'),
    versions: z.record(z.string(), z.string()).describe('sae-eval, libtorch, node.'),
  })
  .meta({
    id: 'RunConfig',
    description: 'The request with every default filled in, and what the run was decided to use.',
  });

export const dataSummarySchema = z
  .object({
    samples: z.number().int(),
    batches: z.number().int(),
    realTokens: z.number().int(),
    paddedTokens: z
      .number()
      .int()
      .describe('Padded positions: they count under reference, never under strict.'),
    skippedRecords: z.number().int(),
    truncatedTokens: z.number().int(),
    warnings: z.array(bilingualSchema),
  })
  .meta({ id: 'DataSummary' });

export const resultSchema = z
  .object({
    id: z.string(),
    createdAt: z.string(),
    status: z.enum(['succeeded', 'partial', 'failed']),
    config: configSchema,
    data: dataSummarySchema,
    results: z.array(saeResultSchema),
    comparisons: z.array(comparisonSchema),
    findings: z.array(findingSchema),
    timing: z.object({ seconds: z.number(), tokensPerSecond: z.number() }),
    memory: z.object({ peakBytes: z.number() }),
  })
  .meta({ id: 'EvaluationResult' });

export type { Bilingual };
export type Estimate = z.infer<typeof estimateSchema>;
export type DensityHistogram = z.infer<typeof densityHistogramSchema>;
export type ReferenceValues = z.infer<typeof referenceValuesSchema>;
export type StrictValues = z.infer<typeof strictValuesSchema>;
export type PerLayer = z.infer<typeof perLayerSchema>;
export type SweepPoint = z.infer<typeof sweepPointSchema>;
export type Note = z.infer<typeof noteSchema>;
export type SaeResult = z.infer<typeof saeResultSchema>;
export type Comparison = z.infer<typeof comparisonSchema>;
export type Finding = z.infer<typeof findingSchema>;
export type RunConfig = z.infer<typeof configSchema>;
export type DataSummary = z.infer<typeof dataSummarySchema>;
export type EvaluationResult = z.infer<typeof resultSchema>;
export const protocolSchema = z.enum(protocolNames);
