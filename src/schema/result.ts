/**
 * The result of an evaluation (`report.json`), as zod schemas.
 *
 * `reference` values are plain numbers; `strict` values are objects with a mean and, if one is
 * defined, a 95 % interval. A value is null if the kind has none under the protocol or the request
 * did not ask for it; `notes` gives the reason.
 */
import { z } from 'zod';
import type { Bilingual } from '../bilingual.js';
import type { ReferenceValues, StrictValues } from '../metrics/table.js';
import type { DensityHistogram, Estimate } from '../metrics/value.js';
import { absorptionSchema } from './absorption.js';
import { bilingualSchema } from './bilingual-text.js';
import { blockSites } from './block-sites.js';
import { dictionaryComparisonSchema } from './dictionaries.js';
import { latentsSummarySchema } from './latents.js';
import { probeResultSchema } from './probes.js';
import { skippedSchema } from './skipped.js';
import { protocolNames, saeKinds } from './names.js';
import { resolvedRequestFields } from './request.js';
import { chatRoles } from './request-dataset.js';
import { excludeSchema } from './request-sae.js';
import {
  peerResultFields,
  perLayerSchema,
  referenceValuesSchema,
  replacementSchema,
  strictValuesSchema,
  type ReplacementValues,
} from './values.js';

export { bilingualSchema };
export {
  densityHistogramSchema,
  estimateSchema,
  perLayerSchema,
  referenceValuesSchema,
  strictValuesSchema,
} from './values.js';

export const sweepPointSchema = z
  .object({
    inferK: z.number().int().optional(),
    theta: z.number().optional(),
    prefix: z
      .number()
      .int()
      .optional()
      .describe('Number of first latents that count; the whole SAE has its own values.'),
    reference: referenceValuesSchema.nullable(),
    strict: strictValuesSchema.nullable(),
    ...peerResultFields,
  })
  .meta({ id: 'SweepPoint' });

export const noteSchema = z
  .object({ metric: z.string() })
  .extend(bilingualSchema.shape)
  .meta({ id: 'Note' });

export const resultErrorSchema = z
  .object({ code: z.string(), message: z.string() })
  .meta({ id: 'ResultError' });

export const positionsSchema = z
  .object({
    exclude: z
      .array(excludeSchema)
      .describe('Rules that take positions out, as a request writes them; empty: all count.'),
    from: z.enum(['request', 'file', 'default']).describe('Who says so.'),
    roles: z
      .array(z.enum(chatRoles))
      .optional()
      .describe('Roles of a conversation whose tokens count, as the request says; else all.'),
    counted: z.number().int().describe('Real tokens that count.'),
    real: z.number().int().describe('Real tokens.'),
  })
  .meta({ id: 'Positions', description: 'Positions that count for an SAE under strict.' });

export const specialSharesSchema = z
  .object({
    tokens: z.number(),
    squaredError: z.number().nullable(),
    activeLatents: z.number().nullable(),
  })
  .meta({
    id: 'SpecialShares',
    description:
      'Share of special tokens in the real tokens, in Σ‖x̂ − x‖² and in the active latents; null ' +
      'if the SAE leaves positions out, or the text has no special token.',
  });

export const saeResultSchema = z
  .object({
    label: z.string(),
    kind: z.enum(saeKinds),
    checkpoint: z.string(),
    format: z
      .string()
      .optional()
      .describe('Format of the checkpoint: routesae, saelens, dictionary_learning, …'),
    hookPoint: z
      .string()
      .nullable()
      .optional()
      .describe(
        'Hook point at which the SAE was evaluated, as the request or the checkpoint names it; ' +
          'null if neither names one.',
      ),
    hookOut: z
      .string()
      .optional()
      .describe('Hook point that a transcoder predicts; `layer` and `site` are its.'),
    reads: z
      .strictObject({
        layer: z.number().int().optional(),
        layers: z.array(z.number().int()).optional(),
        site: z.enum(blockSites).optional(),
      })
      .optional()
      .describe(
        'Place that a transcoder reads: its layer, or layers, and the site inside the block; ' +
          'left out for SAEs that reconstruct what they read.',
      ),
    normalization: z
      .string()
      .optional()
      .describe(
        'Normalization that turns activations into the input of the SAE, in whose space errors ' +
          'are measured: pre, none, layer-norm, token-norm or scale, after `centred, ` if the ' +
          'mean is subtracted first.',
      ),
    site: z
      .enum(blockSites)
      .optional()
      .describe(
        'Site inside the block of its layer; left out: the residual stream after the block.',
      ),
    head: z
      .number()
      .int()
      .nonnegative()
      .optional()
      .describe('The one head of attention that it reads at its site, from 0; left out: all.'),
    layer: z.number().int().optional().describe('Single-layer kinds.'),
    layers: z.array(z.number().int()).optional().describe('Kinds with several layers.'),
    publishedL0: z
      .number()
      .optional()
      .describe('Mean number of active latents per token that the publisher of the SAE states.'),
    d: z.number().int().nullable().describe('Width of what it reads.'),
    dOut: z.number().int().optional().describe('Width of what a transcoder predicts.'),
    m: z.number().int().nullable().describe('Latents.'),
    k: z.number().int().nullable().describe('Active latents, for kinds that have a k.'),
    groups: z
      .array(z.number().int())
      .optional()
      .describe(
        'Prefixes of a Matryoshka SAE’s nested groups, the last of them m, as its file tells.',
      ),
    routing: z.enum(['hard', 'soft']).nullable(),
    aggregation: z.enum(['sum', 'mean']).nullable(),
    error: resultErrorSchema.nullable(),
    positions: positionsSchema.optional(),
    specials: specialSharesSchema.nullable().optional(),
    reference: referenceValuesSchema.nullable(),
    strict: strictValuesSchema.nullable(),
    ...peerResultFields,
    explainedVarianceCi95: z
      .tuple([z.number(), z.number()])
      .nullable()
      .optional()
      .describe(
        'With saelens or saebench: 95 % interval of explained variance over sequences, from ' +
          'distances to the mean of a batch, by which definitions are told apart; null with ' +
          'fewer than 20.',
      ),
    perLayer: z.array(perLayerSchema).nullable(),
    replacement: replacementSchema
      .nullable()
      .optional()
      .describe(
        'Cross-layer transcoders and weakly causal crosscoders: the values of one pass in which ' +
          'all their layers are replaced, each from what that pass has.',
      ),
    sweep: z.array(sweepPointSchema).nullable(),
    notes: z.array(noteSchema),
  })
  .meta({ id: 'SaeResult' });

/** Number of SAEs up to which a run compares every pair. */
export const allPairsUpTo = 16;

export const comparisonSchema = z
  .object({
    metric: z.string().describe('A metric of `strict`.'),
    a: z.string(),
    b: z.string(),
    difference: z.number().describe('Mean of a minus mean of b.'),
    ci95: z.tuple([z.number(), z.number()]).nullable(),
    ratio: z
      .number()
      .optional()
      .describe('Mean of a over mean of b; left out if they are not both above 0.'),
    ratioCi95: z
      .tuple([z.number(), z.number()])
      .optional()
      .describe('95 % interval of the ratio, on the same resamples as the difference.'),
  })
  .meta({ id: 'Comparison' });

export const statementSchema = z
  .object({
    code: z.string().describe('Rule that the sentence follows from.'),
    saes: z.array(z.string()).describe('Labels of the SAEs that it speaks of.'),
    message: bilingualSchema,
    evidence: z
      .record(z.string(), z.union([z.number(), z.string()]))
      .describe('The numbers that it cites.'),
  })
  .meta({ id: 'Statement' });

export const summarySchema = z.object({ statements: z.array(statementSchema) }).meta({
  id: 'Summary',
  description: 'What the numbers say, in the order of a report; empty if they say nothing.',
});

export const findingSchema = z
  .object({
    severity: z.enum(['info', 'warning', 'error']),
    code: z.string(),
    sae: z.string().nullable().describe('Label of the SAE; null if the finding is about the run.'),
    message: bilingualSchema,
    evidence: z.record(z.string(), z.union([z.number(), z.string()])),
  })
  .meta({ id: 'Finding' });

export const configSchema = z
  .object({
    ...resolvedRequestFields.shape,
    device: z.string(),
    deviceName: z.string(),
    architecture: z.object({
      family: z.string(),
      layers: z.number().int(),
      width: z.number().int(),
      vocabulary: z.number().int(),
      parameters: z.number().int(),
      notes: z
        .array(bilingualSchema)
        .optional()
        .describe("Remarks on the model's files: what they say and is not used."),
    }),
    files: z
      .array(
        z.object({
          path: z.string(),
          use: z.enum(['settings', 'weights', 'text']),
          bytes: z.number().int(),
          sha256: z.string().optional(),
          sampled: z
            .string()
            .optional()
            .describe('SHA-256 of the size and of 64 samples, for files above 32 MiB.'),
        }),
      )
      .optional()
      .describe('Files that were read, by their content; left out in results of 0.1.0.'),
    threads: z
      .number()
      .int()
      .describe(
        'Threads that shared an operator. With one, others may have computed other micro-batches.',
      ),
    microBatch: z
      .object({
        sequences: z.number().int(),
        logits: z.number().int(),
        lanes: z.number().int().optional(),
      })
      .describe(
        'Sequences of seqLen tokens that go through the model together, without padding as many ' +
          'as have their tokens; logits held at a time; lanes that are alive together, if not ' +
          'all. As at the end of the run: it shrinks if memory runs out.',
      ),
    saeProducts: z
      .enum(['float32', 'bfloat16-parts'])
      .default('float32')
      .describe('How products of SAEs in float32 are computed.'),
    versions: z.record(z.string(), z.string()).describe('sae-eval, libtorch, node.'),
    intervals: z
      .object({ batches: z.number().int().describe('Batches that are resampled.') })
      .optional()
      .describe(
        'What the bootstrap of the intervals resamples if it is not sequences: whole batches, ' +
          'above 200,000 samples.',
      ),
    plan: z
      .object({
        digest: z.string().describe('Equal for the same request on the same files and texts.'),
        shards: z.number().int(),
        merged: z.number().int().describe('Shards that the numbers are of.'),
      })
      .optional()
      .describe('The plan of a run in shards; left out for a run in one piece.'),
    machines: z
      .array(
        z.object({
          host: z.string(),
          kind: z.string().describe('Processor or GPU with its instructions, and versions.'),
          shards: z.number().int(),
        }),
      )
      .optional()
      .describe('The machines that computed the shards.'),
  })
  .meta({
    id: 'RunConfig',
    description: 'The request with every default filled in, and the settings that the run chose.',
  });

export const dataSummarySchema = z
  .object({
    samples: z.number().int(),
    spliceSamples: z
      .number()
      .int()
      .optional()
      .describe(
        'First samples that KLDiv, DeltaCE, Recovered and NextTokenAgreement are over; left out ' +
          'if that is all.',
      ),
    batches: z.number().int(),
    realTokens: z.number().int(),
    paddedTokens: z
      .number()
      .int()
      .describe('Padded positions; they count under reference, not under strict.'),
    records: z
      .number()
      .int()
      .optional()
      .describe('Records read, skipped ones included; left out in results of 0.1.0.'),
    skippedRecords: z.number().int(),
    truncatedTokens: z.number().int(),
    warnings: z.array(bilingualSchema).describe('A sentence for each fault of the data.'),
    skipped: z
      .array(skippedSchema)
      .optional()
      .describe('Every reason for which records were skipped; left out in results of 0.1.0.'),
  })
  .meta({ id: 'DataSummary' });

export const resultSchema = z
  .object({
    id: z.string(),
    createdAt: z.string(),
    status: z
      .enum(['succeeded', 'partial', 'failed', 'cancelled'])
      .describe('`cancelled`: stopped before all samples were done, see `stopped`.'),
    stopped: z
      .boolean()
      .optional()
      .describe('True if it was stopped and is over the samples done: `data.samples`.'),
    config: configSchema,
    data: dataSummarySchema,
    results: z.array(saeResultSchema),
    comparisons: z.array(comparisonSchema),
    findings: z.array(findingSchema),
    dictionaries: z
      .array(dictionaryComparisonSchema)
      .optional()
      .describe('How much the dictionaries of each pair on one place are the same, if asked for.'),
    absorption: absorptionSchema.optional().describe('First-letter absorption, if asked for.'),
    latents: z
      .array(latentsSummarySchema)
      .optional()
      .describe('Dead, dense and twin latents of each SAE, if the run has a latents table.'),
    probes: z
      .array(probeResultSchema)
      .optional()
      .describe('What probes find on the labelled data sets, if the request names some.'),
    summary: summarySchema.optional().describe('Left out in results of 0.1.0.'),
    timing: z.object({
      seconds: z.number(),
      computeSeconds: z
        .number()
        .optional()
        .describe('Time of all devices together, of a run in shards.'),
      tokensPerSecond: z.number(),
    }),
    memory: z
      .object({ peakBytes: z.number(), devicePeakBytes: z.number().optional() })
      .describe(
        "Most memory that the process held, and that the run's tensors took on a CUDA device.",
      ),
  })
  .meta({ id: 'EvaluationResult' });

export type {
  Bilingual,
  DensityHistogram,
  Estimate,
  ReferenceValues,
  ReplacementValues,
  StrictValues,
};
export type {
  Comparison,
  DataSummary,
  EvaluationResult,
  Finding,
  Note,
  RunConfig,
  SaeResult,
  SweepPoint,
} from './generated/result-types.js';
export type PerLayer = z.infer<typeof perLayerSchema>;
export type Statement = z.infer<typeof statementSchema>;
export type Summary = z.infer<typeof summarySchema>;
export const protocolSchema = z.enum(protocolNames);
