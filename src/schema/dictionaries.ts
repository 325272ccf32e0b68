/** Schemas of how much the dictionaries of two SAEs are the same. */
import { z } from 'zod';
import { bilingualSchema } from './bilingual-text.js';

/** Similarity from which a pair of latents counts as shared. */
export const sharedFrom = 0.7;

export const dictionarySimilaritySchema = z
  .object({
    latents: z
      .tuple([z.number().int(), z.number().int()])
      .describe('Latents of a and of b that are compared.'),
    leftOut: z
      .tuple([z.number().int(), z.number().int()])
      .describe(
        'Latents of a and of b without a direction (a decoder row of zeros), or whose activation ' +
          'never changes.',
      ),
    pairs: z.number().int().describe('Pairs of the matching: the smaller number of latents.'),
    pwMcc: z
      .number()
      .nullable()
      .describe('Mean similarity of the pairs of the best one-to-one matching.'),
    shared: z
      .number()
      .nullable()
      .describe(`Share of the pairs whose similarity is at least ${sharedFrom}.`),
    method: z
      .enum(['exact', 'auction'])
      .describe('`exact`: the best assignment. `auction`: among the candidates of each latent.'),
    gap: z.number().describe('What pwMcc may fall short of the best matching at most.'),
    candidates: z
      .number()
      .int()
      .nullable()
      .describe('Nearest latents on either side among which the auction matched; null: all.'),
    mmcs: z
      .number()
      .nullable()
      .describe("Mean over a's latents of the largest similarity to a latent of b."),
    mmcsTurned: z
      .number()
      .nullable()
      .describe("Mean over b's latents of the largest similarity to a latent of a."),
  })
  .meta({ id: 'DictionarySimilarity' });

export const dictionaryComparisonSchema = z
  .object({
    a: z.string(),
    b: z.string(),
    similarity: z
      .enum(['signed', 'absolute'])
      .describe('Whether a similarity keeps its sign, or its size counts.'),
    decoders: dictionarySimilaritySchema.describe('By cosines of the decoder rows.'),
    activations: dictionarySimilaritySchema
      .extend({ tokens: z.number().int().describe('Positions that the correlations are over.') })
      .nullable()
      .describe('By correlations of the latents on the same tokens; null: see notes.'),
    notes: z.array(bilingualSchema),
  })
  .meta({ id: 'DictionaryComparison' });

export type DictionarySimilarity = z.infer<typeof dictionarySimilaritySchema>;
export type DictionaryComparison = z.infer<typeof dictionaryComparisonSchema>;
