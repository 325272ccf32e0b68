/**
 * The request of an evaluation: one zod schema from which validation, TypeScript types, OpenAPI and
 * the client come.
 */
import { kinds, type SaeKind } from '../sae/kinds/kinds.js';
import { z } from 'zod';
import type { Protocol } from '../metrics/metric.js';
import { found } from './issue-message.js';
import { metrics, type MetricName } from '../metrics/table.js';

export const saeKinds = kinds.map(({ kind }) => kind) as [SaeKind, ...SaeKind[]];
export const metricNames: readonly MetricName[] = metrics.map(({ name }) => name);
export const protocolNames = ['reference', 'strict'] as const satisfies readonly Protocol[];
export const floatDtypes = ['float32', 'bfloat16', 'float16'] as const;

/** Normalizations that a request may give; `scale` is a field of its own. */
export const normalizationNames = ['none', 'pre', 'layer-norm', 'token-norm'] as const;

/** Text without NUL, which file systems and databases take for its end. */
const text = z
  .string()
  .refine((value) => !value.includes('\0'), 'must not contain a NUL character');
const path = text.min(1).max(4096);
/** Text that says what a run is; it changes no number. */
const annotation = text;
const positiveInt = z.number().int().min(1);
const oneOrMany = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1).max(64)]);

const slicePoint = z.number().int().nullable();

/** Positions that do not count under `strict`, as a request says them. */
export const excludeSchema = z
  .union([
    z.enum(['none', 'specials']),
    z.array(z.number().int().min(0)).min(1).max(100_000),
    z.strictObject({
      positions: z
        .union([
          z.tuple([slicePoint, slicePoint]),
          z.tuple([slicePoint, slicePoint, z.number().int().min(1).nullable()]),
        ])
        .describe('Range of positions that stays, as a slice: from, to and step.'),
    }),
  ])
  .meta({ id: 'Exclude' });

const checkpoint = path.describe(
  'Path of a checkpoint file, or of a folder or file in a published format; or its name in the ' +
    'local Hugging Face cache: org/name[@revision][:path].',
);

/** What a request says of an SAE beside its checkpoint. */
const saeFields = z.strictObject({
  kind: z
    .enum(saeKinds)
    .optional()
    .describe('Kind of the SAE. Required if the file could be several.'),
  layer: positiveInt
    .optional()
    .describe(
      'Layer, 1…L. Required for TopK, Vanilla, Gated, JumpReLU unless the file names a hook ' +
        "point or its name has a layer. The seed draws RandomK's layer if it is omitted.",
    ),
  hook: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'Hook point that the SAE reads and writes, in the words of SAELens, TransformerLens or ' +
        'Hugging Face: blocks.5.hook_mlp_out, model.layers.5.mlp.output. For SAEs on one place ' +
        'whose files do not say; instead of `layer`.',
    ),
  hookOut: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'Hook point that a transcoder predicts, in the same words. An SAE of one hook point whose ' +
        'file says nothing of it becomes a transcoder: what it decodes is measured there.',
    ),
  k: positiveInt
    .optional()
    .describe(
      'Number of active latents, 1…m. Required for TopK, RouteSAE, MLSAE, RandomK unless the ' +
        "SAE's configuration or file name has it.",
    ),
  scale: z
    .union([z.number().positive(), z.array(z.number().positive()).min(1).max(256)])
    .optional()
    .describe(
      'Factor of the input, for published SAEs whose files lack it (crosscoders: one for each ' +
        'layer).',
    ),
  centered: z
    .boolean()
    .optional()
    .describe(
      'Whether the SAE was trained on a residual stream without its mean ' +
        "(TransformerLens' center_writing_weights), for published SAEs whose files do not say.",
    ),
  exclude: excludeSchema
    .optional()
    .describe('Positions that do not count for this SAE; default: those of the request.'),
  normalization: z
    .enum(normalizationNames)
    .optional()
    .describe(
      'How activations become the input of an SAE whose file cannot say: none (raw), pre, ' +
        'layer-norm or token-norm.',
    ),
  preBias: z
    .boolean()
    .optional()
    .describe(
      'Whether the decoder bias is subtracted from the input first, for SAEs whose files ' +
        'cannot say.',
    ),
  prefix: z
    .string()
    .max(4096)
    .optional()
    .describe('Prefix of the tensors, to choose one of several SAEs in a file.'),
  aggregation: z
    .enum(['sum', 'mean'])
    .optional()
    .describe('Aggregation of the router, RouteSAE only; default sum.'),
  routing: z.enum(['hard', 'soft']).optional().describe('Routing, RouteSAE only; default hard.'),
  label: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'Unique name of the SAE; default: the kind, numbered if repeated. With `checkpoints`: what ' +
        'the names of all of them begin with.',
    ),
});

const oneOfLayerAndHook = {
  path: ['hook'],
  message: 'layer and hook exclude each other: give one of them',
};

/** An SAE of a request as a user names it. */
export const saeSpecSchema = z
  .strictObject({
    checkpoint: checkpoint.optional(),
    checkpoints: path
      .optional()
      .describe(
        'Several checkpoints instead of one: a pattern such as runs/*/ae.pt, or a folder with ' +
          'SAEs. Each becomes an SAE, labeled by what differs in its path; the other fields hold ' +
          'for all.',
      ),
    ...saeFields.shape,
  })
  .refine(({ checkpoint: one, checkpoints: many }) => one === undefined || many === undefined, {
    path: ['checkpoints'],
    message: 'checkpoint and checkpoints exclude each other: give one of them',
  })
  .refine(({ checkpoint: one, checkpoints: many }) => one !== undefined || many !== undefined, {
    path: ['checkpoint'],
    message: 'is missing; expected the path of a checkpoint, or checkpoints: a pattern or a folder',
  })
  .refine(({ layer, hook }) => layer === undefined || hook === undefined, oneOfLayerAndHook)
  .meta({ id: 'SaeSpec' });

/** An SAE of a request whose `checkpoints` were found. */
export const resolvedSaeSpecSchema = z
  .strictObject({ checkpoint, ...saeFields.shape })
  .refine(({ layer, hook }) => layer === undefined || hook === undefined, oneOfLayerAndHook)
  .meta({ id: 'ResolvedSaeSpec' });

/** Most SAEs of a request. */
export const mostSaes = 256;

/** Roles of messages. */
export const chatRoles = ['system', 'developer', 'user', 'assistant', 'tool'] as const;
export type ChatRole = (typeof chatRoles)[number];

export const datasetSchema = z
  .strictObject({
    path: path.describe(
      'Path of a data file or of a folder of them: .jsonl, plain or compressed (.gz, .zst), ' +
        '.parquet, .json with a list of records, or .txt. A folder with .jsonl files is read for ' +
        'these only. A folder without data files is read for those of its one sub-folder.',
    ),
    split: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Split to read, such as train; required if the files of several lie together.'),
    textField: z
      .string()
      .min(1)
      .max(200)
      .default('text')
      .describe('Field of a record that has its text, or a dotted path to it.'),
    tokensField: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('Field of a record that has token ids, used instead of text.'),
    messagesField: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe(
        "Field of a record that has a conversation, a list of { role, content }: the model's " +
          'chat template renders it. Used instead of text.',
      ),
    roles: z
      .array(z.enum(chatRoles))
      .min(1)
      .optional()
      .describe(
        'Roles whose tokens count under strict, such as assistant; the others are left out as by ' +
          'exclude. Default: every token counts. With messagesField only.',
      ),
    chunking: z
      .enum(['words', 'document', 'packed'])
      .optional()
      .describe(
        'How records become samples. words (default): chunks of seqLen words. document (default ' +
          'of conversations): one sample for each record. packed: all tokens one after another.',
      ),
    prependBos: z
      .boolean()
      .optional()
      .describe(
        'Whether each sample begins with the BOS token. Default: what the files of the SAEs say ' +
          "where they agree, else the tokenizer's own way.",
      ),
    shuffle: z
      .number()
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .optional()
      .describe('Seed that shuffles the samples; default: no shuffle.'),
    maxSamples: positiveInt.max(100_000_000).default(10_000).describe('Most samples to read.'),
    seqLen: z
      .number()
      .int()
      .min(2)
      .max(1_048_576)
      .default(512)
      .describe('Tokens per sample, up to the positions of the model.'),
  })
  .refine(
    ({ messagesField, tokensField }) => messagesField === undefined || tokensField === undefined,
    {
      path: ['messagesField'],
      message: 'messagesField and tokensField exclude each other: give one of them',
    },
  )
  .refine(({ messagesField, roles }) => roles === undefined || messagesField !== undefined, {
    path: ['roles'],
    message: 'roles are those of messages: give messagesField too, or leave roles out',
  })
  .refine(({ messagesField, chunking }) => messagesField === undefined || chunking !== 'words', {
    path: ['chunking'],
    message: 'expected document or packed for conversations, found words',
  })
  .meta({ id: 'Dataset' });

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
    .array(z.enum(protocolNames))
    .min(1)
    .default([...protocolNames])
    .describe('Protocols to measure under.'),
  batchSize: positiveInt
    .max(1_000_000)
    .default(64)
    .describe('Samples per batch in the averages of `reference`; memory does not depend on it.'),
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
] as const satisfies readonly (keyof typeof requestFields.shape)[];

/** A request without its annotations: equal for two that compute the same. */
export function withoutAnnotations<R extends { [field in AnnotationField]?: unknown }>(
  request: R,
): Omit<R, AnnotationField> {
  const { name: _, tags: __, notes: ___, metadata: ____, ...rest } = request;
  return rest;
}

export type AnnotationField = (typeof annotationFields)[number];
export type { SaeKind };
export type { MetricName };
export type ProtocolName = (typeof protocolNames)[number];
export type NormalizationName = (typeof normalizationNames)[number];
export type FloatDtype = (typeof floatDtypes)[number];
export type { Dataset, EvaluationRequest, Exclude, SaeSpec } from './generated/request-types.js';
export type { ResolvedRequest, ResolvedSaeSpec } from './generated/result-types.js';
