/** An SAE of a request: its checkpoint, its place, and the settings that its file may lack. */
import { z } from 'zod';
import { normalizationNames, saeKinds } from './names.js';
import { path, positiveInt } from './request-values.js';

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

/** The fields of an SAE in a request, beside its checkpoint. */
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

export type { Exclude, SaeSpec } from './generated/request-types.js';
export type { ResolvedSaeSpec } from './generated/result-types.js';
