/** Schemas of first-letter absorption. */
import { z } from 'zod';

const share = z.object({
  mean: z.number(),
  ci95: z
    .tuple([z.number(), z.number()])
    .nullable()
    .describe('95 % percentile bootstrap over the tested words; null with fewer than 20.'),
});

export const absorptionSchema = z
  .object({
    words: z.number().int().describe('Words of the vocabulary: tokens of letters alone.'),
    saes: z.array(
      z.object({
        sae: z.string(),
        fraction: share.nullable().describe('Mean share of a letter that other latents took over.'),
        full: share.nullable().describe('Share of words whose letter one other latent took over.'),
        splits: z
          .number()
          .nullable()
          .describe('Mean number of latents beyond the first that a letter is split among.'),
        letters: z.array(
          z.object({
            letter: z.string(),
            f1: z.number().describe("F1 of the activations' own probe on the tested words."),
            words: z.number().int().describe('Tested words whose letter that probe tells.'),
            latents: z.array(z.number().int()).describe('Latents of the letter.'),
            fraction: z.number(),
            full: z.number(),
          }),
        ),
        error: z.object({ code: z.string(), message: z.string() }).nullable(),
      }),
    ),
  })
  .meta({ id: 'Absorption' });

export type Absorption = z.infer<typeof absorptionSchema>;
