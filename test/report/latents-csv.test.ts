/** Latents as CSV: numbers as they are, and text of others that no spreadsheet runs. */
import { describe, expect, it } from 'vitest';
import { latentsCsv, latentsCsvHead } from '#src/report/latents-csv.js';
import type { Latent } from '#src/schema/index.js';

const latent: Latent = {
  sae: '=cmd|calc',
  latent: 7,
  layer: null,
  active: 3,
  density: 0.25,
  samples: 2,
  sampleShare: 0.5,
  mean: -1.5,
  max: 2,
  encoderNorm: 1,
  decoderNorm: 1,
  encoderDecoderCosine: null,
  twin: 3,
  twinCosine: 0.5,
  histogram: [],
  contexts: [
    {
      sample: 1,
      position: 4,
      layer: 2,
      value: 2,
      tokenId: 9,
      before: 'a "b",',
      token: '=1+1',
      after: '\n@SUM(A1)',
    },
  ],
};

describe('latents as CSV', () => {
  it('have a row for each latent', () => {
    expect(latentsCsvHead().trimEnd().split(',')).toHaveLength(14);
    expect(latentsCsv([latent])).toBe("'=cmd|calc,7,,3,0.25,2,0.5,-1.5,2,1,1,,3,0.5\n");
  });

  it('have a row for each context, whose text is no formula', () => {
    expect(latentsCsvHead({ contexts: true })).toBe(
      'sae,latent,rank,sample,position,layer,value,tokenId,before,token,after\n',
    );
    expect(latentsCsv([latent], { contexts: true })).toBe(
      `'=cmd|calc,7,1,1,4,2,2,9,"a ""b"",",'=1+1,"'\n'@SUM(A1)"\n`,
    );
  });
});
