/** Rows of a latents table as CSV (RFC 4180): a row for each latent, or for each context. */
import type { Latent } from '../schema/index.js';
import { csvField } from './csv.js';

const columns = [
  'sae',
  'latent',
  'layer',
  'active',
  'density',
  'samples',
  'sampleShare',
  'mean',
  'max',
  'encoderNorm',
  'decoderNorm',
  'encoderDecoderCosine',
  'twin',
  'twinCosine',
] as const satisfies readonly (keyof Latent)[];

const ofContexts = [
  'sample',
  'position',
  'layer',
  'value',
  'tokenId',
  'before',
  'token',
  'after',
] as const;

export interface LatentsCsvOptions {
  /** Whether each context has a row, instead of each latent; default false. */
  contexts?: boolean;
}

/** The first line. */
export function latentsCsvHead({ contexts = false }: LatentsCsvOptions = {}): string {
  return `${(contexts ? ['sae', 'latent', 'rank', ...ofContexts] : columns).join(',')}\n`;
}

/** Lines of latents. */
export function latentsCsv(
  latents: readonly Latent[],
  { contexts = false }: LatentsCsvOptions = {},
): string {
  const line = (fields: readonly (string | number | null)[]): string =>
    `${fields.map(csvField).join(',')}\n`;
  return latents
    .flatMap((row) =>
      contexts
        ? row.contexts.map((one, rank) =>
            line([row.sae, row.latent, rank + 1, ...ofContexts.map((name) => one[name])]),
          )
        : [line(columns.map((name) => row[name]))],
    )
    .join('');
}
