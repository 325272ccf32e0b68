/** Schemas of labelled data sets that SAEs are probed with, and of what the probes find. */
import { z } from 'zod';
import { path, positiveInt, text } from './request-values.js';

/** What is done with a labelled data set. */
export const probeTasks = ['sparseProbing', 'targetedPerturbation', 'spuriousRemoval'] as const;
export type ProbeTask = (typeof probeTasks)[number];

/** Numbers of latents that a probe may use, beside all. */
export const probeSizes = [1, 2, 5] as const;

/** Numbers of latents that are set to zero together. */
export const ablationSizes = [2, 5, 10, 20, 50, 100, 500] as const;

/** Folds of the cross-validation. */
export const probeFolds = 5;

const field = z.string().min(1).max(200);

export const probeSchema = z
  .strictObject({
    path: path.describe(
      'Path of a data file, or of a folder of them, whose records have a text and a label.',
    ),
    name: text
      .min(1)
      .max(200)
      .optional()
      .describe('Name of the data set in the result; default: its path.'),
    split: field.optional().describe('Split to read, if the files of several lie together.'),
    textField: field.default('text').describe('Field of a record that has its text.'),
    labelField: field
      .default('label')
      .describe('Field of a record that has its label: a string, a whole number or a boolean.'),
    seqLen: z
      .number()
      .int()
      .min(2)
      .max(1_048_576)
      .default(128)
      .describe('Tokens of a text that are read, from its beginning.'),
    maxPerLabel: positiveInt
      .max(100_000)
      .default(1000)
      .describe('Documents of each label, the first ones.'),
    tasks: z
      .array(z.enum(probeTasks))
      .min(1)
      .optional()
      .describe(
        'What is done with the labels; default: sparseProbing and targetedPerturbation, and ' +
          'spuriousRemoval if there is a spuriousField.',
      ),
    spuriousField: field
      .optional()
      .describe(
        'Field of a record with a second label that goes along with the first by chance, such ' +
          'as a gender beside a profession; both have two values.',
      ),
  })
  .refine(
    ({ tasks, spuriousField }) =>
      spuriousField !== undefined || tasks?.includes('spuriousRemoval') !== true,
    { path: ['spuriousField'], message: 'is missing; spuriousRemoval needs it' },
  )
  .meta({ id: 'ProbeDataset' });

export const probeAccuracySchema = z
  .object({
    mean: z.number().describe('Share of documents that were told right, averaged over the labels.'),
    ci95: z
      .tuple([z.number(), z.number()])
      .nullable()
      .describe('95 % percentile bootstrap over documents; null with fewer than 20.'),
    folds: z.array(z.number()).describe('The same on the documents of each fold.'),
  })
  .meta({ id: 'ProbeAccuracy' });

const accuraciesSchema = z.object({
  top: z
    .array(z.object({ k: z.number().int(), accuracy: probeAccuracySchema }))
    .describe('Probes on the k features whose means differ most between the classes.'),
  all: probeAccuracySchema.describe('Probes on all features.'),
});

export const sparseProbingSchema = z
  .object({
    latents: accuraciesSchema.describe("Probes on the latents' means over a document."),
    activations: accuraciesSchema.describe('Probes on the means of the activations themselves.'),
    labels: z.array(
      z.object({
        label: z.string(),
        latents: z
          .array(z.number().int())
          .describe('Latents whose means differ most over all documents, the first one first.'),
        accuracy: z
          .array(z.object({ k: z.number().int(), mean: z.number() }))
          .describe('Share of documents that the probes on k latents told right.'),
      }),
    ),
  })
  .meta({ id: 'SparseProbing' });

const shareSchema = z.object({
  mean: z.number(),
  ci95: z.tuple([z.number(), z.number()]).nullable(),
});

export const targetedPerturbationSchema = z
  .object({
    clean: z.number().describe('Accuracy of the probes, averaged over the labels.'),
    top: z.array(
      z.object({
        latents: z.number().int().describe('Latents of a label that were set to zero.'),
        score: shareSchema.describe('Accuracy lost by the own probe less that of the others.'),
        intended: z.number().describe('Accuracy that the probe of the label itself lost.'),
        unintended: z.number().describe('Accuracy that the probes of the others lost.'),
      }),
    ),
  })
  .meta({ id: 'TargetedPerturbation' });

export const spuriousRemovalSchema = z
  .object({
    biased: z.string().describe('What the biased probe was fitted on: the two kinds of documents.'),
    direction: z
      .enum(['label', 'spurious'])
      .describe('What the scores are about: what the biased probe tells worse before.'),
    before: z.number().describe('Accuracy of the biased probe on balanced documents.'),
    clean: z.number().describe('Accuracy of a probe that was fitted on balanced documents.'),
    top: z.array(
      z.object({
        latents: z.number().int().describe('Latents of the other direction set to zero.'),
        score: shareSchema.describe('(after − before) / (clean − before).'),
        after: z.number().describe('Accuracy of the biased probe with them at zero.'),
      }),
    ),
  })
  .meta({ id: 'SpuriousRemoval' });

export const probeResultSchema = z
  .object({
    name: z.string(),
    path: z.string(),
    labels: z.array(z.object({ label: z.string(), documents: z.number().int() })),
    skippedRecords: z
      .number()
      .int()
      .describe('Records without a usable text or label. Those beyond maxPerLabel do not count.'),
    saes: z.array(
      z.object({
        sae: z.string(),
        sparseProbing: sparseProbingSchema.nullable().describe('Null if it was not asked for.'),
        targetedPerturbation: targetedPerturbationSchema
          .nullable()
          .describe('Null if it was not asked for, and of transcoders.'),
        spuriousRemoval: spuriousRemovalSchema
          .nullable()
          .describe('Null if it was not asked for, and of transcoders.'),
        error: z.object({ code: z.string(), message: z.string() }).nullable(),
      }),
    ),
  })
  .meta({ id: 'ProbeResult' });

export type ProbeAccuracy = z.infer<typeof probeAccuracySchema>;
export type SparseProbing = z.infer<typeof sparseProbingSchema>;
export type TargetedPerturbation = z.infer<typeof targetedPerturbationSchema>;
export type SpuriousRemoval = z.infer<typeof spuriousRemovalSchema>;
export type ProbeResult = z.infer<typeof probeResultSchema>;
export type ProbeDataset = z.infer<typeof probeSchema>;
