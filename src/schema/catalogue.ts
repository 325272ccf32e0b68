/** Entries that a server lists: devices, kinds, metrics, checkpoints, models and datasets. */
import { z } from 'zod';
import { fieldErrorSchema, recordErrorSchema, timestamp } from './record.js';
import { protocolNames, saeKinds } from './names.js';
import { bilingualSchema } from './result.js';

export const deviceSchema = z
  .object({
    name: z.string().describe('Name in a request: `cpu`, `cuda:0`, ….'),
    description: z.string().describe('Name of the processor or the GPU.'),
    totalBytes: z.number().nullable(),
    freeBytes: z.number().nullable(),
    isDefault: z.boolean().describe('Whether a request without `device` may be computed on it.'),
    busy: z.boolean().describe('Whether it computes an evaluation.'),
    running: z
      .string()
      .nullable()
      .describe('Id of the running evaluation, if the caller may read it.'),
    queued: z
      .number()
      .int()
      .describe(
        'Number of waiting evaluations that it may take: those of any device of its kind too.',
      ),
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
        inInputSpace: z
          .boolean()
          .describe('Whether it is measured in the space of the SAE’s input, after normalization.'),
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
    options: z
      .array(z.string())
      .optional()
      .describe('The values that it may have, if they are few.'),
    reason: z.string().describe('Why the field is required, or source of its value.'),
    instead: z
      .string()
      .optional()
      .describe('Field that a request may give instead of a required one.'),
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
    groups: z
      .array(z.number().int())
      .optional()
      .describe('Prefixes of a Matryoshka SAE’s nested groups; left out if its file tells none.'),
    normalization: z.string().describe('How activations become the SAE’s input.'),
    fields: z.array(fieldFindingSchema).describe('Fields that a request may give with this kind.'),
  })
  .meta({ id: 'SaeChoice', description: 'A kind that a checkpoint can be evaluated as.' });

/** Facts of a checkpoint that lists and inspections share. */
const choiceFields = {
  kindKnown: z.boolean().describe('Whether a request may omit `kind`.'),
  namedKind: z.enum(saeKinds).nullable().describe('Kind in the name of the file.'),
  prefixes: z
    .array(z.string())
    .describe(
      'Prefixes of the SAEs in the file; empty unless it holds several. The other fields are ' +
        'about the first.',
    ),
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
/** Number of files that a list says nothing of yet. */
const pending = z
  .number()
  .int()
  .describe('Number of files that have not been read yet; they are read meanwhile: ask again.');

export const checkpointListSchema = z
  .object({
    items: z.array(checkpointSchema),
    truncated: z.boolean().describe('Whether there are more files than are listed.'),
    pending,
  })
  .meta({ id: 'CheckpointList' });

/** Description of an SAE in a published format. */
export const publishedSchema = z
  .object({
    format: z
      .string()
      .describe(
        'Format: saelens, dictionary_learning, sparsify, gemma-scope, gemma-scope-2, ' +
          'gemma-scope-2-layers, circuit-tracer, circuit-tracer-layers, ' +
          'llama-scope, openmoss, qwen-scope, connor-rob-hook-z, ' +
          'openai, mlsae, crosscoder, plain or routesae.',
      ),
    hookPoints: z.array(z.string()).describe('Names of hook points in the file.'),
    hookPointsOut: z
      .array(z.string())
      .optional()
      .describe('Names of the hook points that a transcoder predicts; left out for other SAEs.'),
    skip: z.boolean().optional().describe('Whether a linear map of its input is added.'),
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
    exclusion: z
      .object({
        specials: z.boolean().describe('Whether special tokens did not count.'),
        ids: z.array(z.number().int()).describe('Token ids that did not count.'),
        kept: z
          .array(z.number().int().nullable())
          .nullable()
          .describe('Python’s slice of the positions that counted; null: all.'),
      })
      .optional()
      .describe('Positions that did not count when it was trained; absent if all did.'),
    prependBos: z
      .boolean()
      .optional()
      .describe('Whether contexts began with a BOS; absent if the file says nothing.'),
    groups: z
      .array(z.number().int())
      .optional()
      .describe('Prefixes of a Matryoshka SAE’s nested groups, for `prefixes` of a request.'),
    publishedL0: z
      .number()
      .optional()
      .describe('Mean number of active latents that its publisher states.'),
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
    opaque: z
      .record(z.string(), z.string())
      .describe(
        'Objects that only code of their own could make, and tensors that are not plain: what ' +
          'they are, by path. They were not read. The first hundred.',
      ),
    unused: z.array(z.string()).describe('Tensors that no candidate computes with.'),
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
  .object({ items: z.array(modelSchema), truncated: z.boolean(), pending })
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

export type Device = z.infer<typeof deviceSchema>;
export type Kind = z.infer<typeof kindSchema>;
export type MetricEntry = z.infer<typeof metricSchema>;
export type CheckpointEntry = z.infer<typeof checkpointSchema>;
export type SaeChoice = z.infer<typeof saeChoiceSchema>;
export type PublishedSae = z.infer<typeof publishedSchema>;
export type CheckpointDescription = z.infer<typeof checkpointDescriptionSchema>;
export type ModelEntry = z.infer<typeof modelSchema>;
export type DatasetEntry = z.infer<typeof datasetEntrySchema>;
