/** Schemas of the latents table: a row for each latent of an SAE (docs/reference/latents.md). */
import { z } from 'zod';

const count = z.number().int().nonnegative();
const real = z.number().nullable();

export const latentContextSchema = z
  .object({
    sample: count.describe('Index of the sample in the run.'),
    position: count.describe('Position of the token in the sample.'),
    layer: count
      .nullable()
      .describe('Layer that was read, of an SAE on several layers; null for others.'),
    value: z.number().describe('Activation of the latent there.'),
    tokenId: z.number().int().nullable().describe('Id of the token.'),
    token: z.string().nullable().describe('Text of the token; null if no tokenizer was at hand.'),
    before: z.string().nullable().describe('Text before it, of at most 24 tokens.'),
    after: z.string().nullable().describe('Text after it, of at most 12 tokens.'),
  })
  .meta({ id: 'LatentContext', description: 'A place at which a latent is most active.' });

export const latentSchema = z
  .object({
    sae: z.string().describe('Label of the SAE.'),
    latent: count.describe('Number of the latent, from 0.'),
    layer: count
      .nullable()
      .describe('Layer that it belongs to, if each layer has latents of its own; else null.'),
    active: count.describe('Positions on which it is active; of an MLSAE position-layer pairs.'),
    density: real.describe('Share of positions on which it is active.'),
    samples: count.describe('Samples in which it is active.'),
    sampleShare: real.describe('Share of samples in which it is active.'),
    mean: real.describe('Mean activation over the positions on which it is active; null if dead.'),
    max: real.describe('Largest activation; null if dead.'),
    encoderNorm: real.describe('Norm of its encoder row.'),
    decoderNorm: real.describe('Norm of its decoder row.'),
    encoderDecoderCosine: real.describe(
      'Cosine of the two; null if they lie in different spaces, as in transcoders.',
    ),
    twin: count.nullable().describe('The other latent whose decoder row is nearest to its own.'),
    twinCosine: real.describe('Cosine of the two decoder rows.'),
    histogram: z
      .array(count)
      .describe('Active positions by the magnitude of the activation, one bin for each octave.'),
    contexts: z.array(latentContextSchema).describe('Its top contexts, the largest first.'),
  })
  .meta({ id: 'Latent', description: 'A row of the latents table.' });

/** Cosine of two decoder rows from which a result counts twins. */
export const twinsFrom = 0.9;

export const latentsSummarySchema = z
  .object({
    sae: z.string().describe('Label of the SAE.'),
    m: count.describe('Number of its latents.'),
    positions: count.describe('Positions that count; of an MLSAE position-layer pairs.'),
    dead: count.describe('Latents that are never active.'),
    dense: count.describe('Latents that are active on more than a tenth of the positions.'),
    twins: count
      .nullable()
      .describe('Latents whose decoder row has a cosine of 0.9 or more with another one.'),
  })
  .meta({ id: 'LatentsSummary', description: 'What a latents table says of an SAE.' });

/** What a latents table says of an SAE. */
export type LatentsSummary = z.infer<typeof latentsSummarySchema>;

export const latentsSchema = z
  .object({
    sae: z.string().describe('Label of the SAE whose latents these are.'),
    saes: z.array(z.string()).describe('Labels of all SAEs of the table.'),
    m: count.describe('Number of its latents.'),
    dead: count.describe('Number of them that are never active.'),
    positions: count.describe('Positions that count; of an MLSAE position-layer pairs.'),
    samples: count.describe('Samples of the run.'),
    contexts: count.describe('Contexts of each latent, as the request says.'),
    edges: z.array(z.number()).describe('Edges of the bins of the histograms.'),
    latents: z.array(latentSchema).describe('The rows asked for.'),
  })
  .meta({ id: 'Latents', description: 'Rows of the latents table of one SAE.' });

/** A row of the latents table. */
export type Latent = z.infer<typeof latentSchema>;
/** A place at which a latent is most active. */
export type LatentContext = z.infer<typeof latentContextSchema>;
/** Rows of the latents table of one SAE, with what they are counted over. */
export type Latents = z.infer<typeof latentsSchema>;
