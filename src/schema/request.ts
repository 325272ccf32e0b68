/**
 * The request of an evaluation: one zod schema from which validation, TypeScript types, OpenAPI and
 * the client come.
 */
import { z } from 'zod';
import { found } from './issue-message.js';
import { floatDtypes, metricNames, protocolNames, requestProtocols } from './names.js';
import { probeSchema } from './probes.js';
import { datasetSchema } from './request-dataset.js';
import { excludeSchema, resolvedSaeSpecSchema, saeSpecSchema } from './request-sae.js';
import { annotation, oneOrMany, path, positiveInt } from './request-values.js';

/** Most SAEs of a request. */
export const mostSaes = 256;

/** Most contexts of a latent in the latents table. */
export const mostContexts = 100;

/** Fields of a request; {@link requestSchema} adds the rules between them. */
export const requestFields = z.strictObject({
  model: path.describe('Folder of a Hugging Face model, or its name in the local cache.'),
  dataset: datasetSchema.describe('Text to evaluate on.'),
  saes: z.array(saeSpecSchema).min(1).max(mostSaes).describe('SAEs to evaluate, all in one pass.'),
  metrics: z
    .array(z.enum(metricNames))
    .min(1)
    .default([...metricNames])
    .describe('Metrics to compute; default all.'),
  protocol: z
    .array(z.enum(requestProtocols))
    .min(1)
    .default([...protocolNames])
    .describe(
      'Protocols to measure under. saelens and saebench, with a version or without, give the ' +
        'numbers of those tools beside ours, under their names, whatever metrics says.',
    ),
  excludeSpecialsFromReconstruction: z
    .boolean()
    .optional()
    .describe(
      'Whether the splice of saebench leaves special tokens as they are, as its option ' +
        '--exclude_special_tokens_from_reconstruction does; default: false.',
    ),
  batchSize: positiveInt
    .max(1_000_000)
    .default(64)
    .describe(
      'Samples per batch in the averages of `reference`, saelens and saebench; memory depends on ' +
        'it under the latter two alone.',
    ),
  spliceSamples: positiveInt
    .max(100_000_000)
    .optional()
    .describe(
      'First samples that are spliced: KLDiv, DeltaCE, Recovered and NextTokenAgreement are over ' +
        'them, the other metrics over all. Splices take most of the time. Default: all samples.',
    ),
  device: z
    .string()
    .regex(/^(cpu|cuda(:\d{1,3})?)$/, {
      error: ({ input }) => `expected cpu, cuda or cuda:N, found ${found(input)}`,
    })
    .optional()
    .describe(
      'Device to compute on: cpu, cuda (any CUDA device) or one such as cuda:1; default: cuda if ' +
        'there is one, else cpu.',
    ),
  dtype: z.enum(floatDtypes).default('float32').describe('dtype of the language model.'),
  saeDtype: z.enum(floatDtypes).default('float32').describe('dtype of the SAEs.'),
  latents: z
    .number()
    .int()
    .min(0)
    .max(mostContexts)
    .optional()
    .describe(
      'Makes a table of all latents of every SAE, with so many top contexts each; 0: the table ' +
        'without contexts. Default: no table.',
    ),
  exclude: excludeSchema
    .optional()
    .describe(
      'Positions that strict neither measures nor splices: none, specials, a list of token ids, ' +
        'or { positions: [from, to] }, the range that stays. Default: what the file of each SAE ' +
        'says, else none.',
    ),
  inferK: oneOrMany(positiveInt)
    .optional()
    .describe('Number of active latents instead of `k`; a list makes a sweep.'),
  theta: oneOrMany(z.number())
    .optional()
    .describe('Threshold above which latents are active; a list makes a sweep.'),
  prefixes: z
    .union([z.literal('groups'), z.array(positiveInt).min(1).max(64)])
    .optional()
    .describe(
      'Numbers of first latents, increasing, each a point of a sweep: the latents of the whole ' +
        'SAE, zero beyond the prefix. "groups": the nested groups of Matryoshka SAEs, as their ' +
        'files tell. Not beside inferK or theta.',
    ),
  dictionaries: z
    .boolean()
    .optional()
    .describe(
      'Whether the dictionaries of each pair of SAEs on one place are compared: PW-MCC and MMCS ' +
        'of their decoders and of their latents on the same tokens. Not in shards. Default false.',
    ),
  absorption: z
    .boolean()
    .optional()
    .describe(
      'Whether first-letter absorption is measured: do latents for words take over from the ' +
        "latent for their first letter? By the words of the model's vocabulary. Not in shards. " +
        'Default false.',
    ),
  probes: z
    .array(probeSchema)
    .min(1)
    .max(64)
    .optional()
    .describe(
      'Labelled data sets with which the SAEs are probed: does a latent tell the label? Not in ' +
        'shards.',
    ),
  seed: z
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .default(42)
    .describe("Seed of RandomK's layer and of the bootstrap."),
  name: annotation.min(1).max(200).optional().describe('Name of the run, to find it by.'),
  tags: z
    .array(annotation.min(1).max(100))
    .max(50)
    .optional()
    .describe('Tags of the run, to find it by.'),
  notes: annotation.max(10_000).optional().describe('Notes on the run, free text.'),
  metadata: z
    .record(annotation.min(1).max(100), annotation.max(1000))
    .refine((texts) => Object.keys(texts).length <= 100, 'expected at most 100 entries')
    .optional()
    .describe('Texts by name, such as the commit that wrote the checkpoints.'),
  shared: z
    .boolean()
    .optional()
    .describe('Whether other API keys of the server may read it; default: as the server is set.'),
});

/** Fields of a request whose `checkpoints` were found. */
export const resolvedRequestFields = requestFields.extend({
  saes: z
    .array(resolvedSaeSpecSchema)
    .min(1)
    .max(mostSaes)
    .describe('SAEs to evaluate, all in one pass.'),
});

export const requestSchema = requestFields
  .refine((request) => request.inferK === undefined || request.theta === undefined, {
    path: ['theta'],
    message: 'inferK and theta exclude each other: give one of them',
  })
  .superRefine(({ prefixes, inferK, theta }, { addIssue }) => {
    if (prefixes === undefined) return;
    if (inferK !== undefined || theta !== undefined)
      addIssue({
        code: 'custom',
        path: ['prefixes'],
        message:
          `prefixes and ${inferK === undefined ? 'theta' : 'inferK'} exclude each other: ` +
          'give one of them',
      });
    if (prefixes === 'groups') return;
    const place = prefixes.findIndex((one, i) => i > 0 && one <= prefixes[i - 1]!);
    if (place > 0)
      addIssue({
        code: 'custom',
        path: ['prefixes', place],
        message:
          `expected more than ${prefixes[place - 1]}, the prefix before it, found ` +
          `${prefixes[place]}`,
      });
  })
  .meta({
    id: 'EvaluationRequest',
    description: 'An evaluation as a user asks for it; defaults may be left out.',
    examples: [
      {
        name: 'first',
        model: 'checkpoints/tiny-llama',
        dataset: { path: 'checkpoints/eval', maxSamples: 20, seqLen: 64 },
        saes: [
          { kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 },
          { checkpoint: 'checkpoints/RouteSAE_tiny.pt', k: 16 },
        ],
      },
    ],
  });

/** Fields that say what a run is and who it is for; they change no number. */
export const annotationFields = [
  'name',
  'tags',
  'notes',
  'metadata',
  'shared',
] as const satisfies readonly (keyof typeof requestFields.shape)[];

/** A request without its annotations: equal for two that compute the same. */
export function withoutAnnotations<R extends { [field in AnnotationField]?: unknown }>(
  request: R,
): Omit<R, AnnotationField> {
  const { name: _, tags: __, notes: ___, metadata: ____, shared: _____, ...rest } = request;
  return rest;
}

export type AnnotationField = (typeof annotationFields)[number];
export type { EvaluationRequest } from './generated/request-types.js';
export type { ResolvedRequest } from './generated/result-types.js';
