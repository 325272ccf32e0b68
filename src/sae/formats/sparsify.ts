/**
 * sparsify (github.com/EleutherAI/sparsify): `<hookpoint>/cfg.json` and `sae.safetensors`; the k
 * largest of max(a, 0).
 */
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import type { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { Tensors } from './tensors.js';

const schema = z.looseObject({
  d_in: z.int().positive(),
  k: z.int().positive(),
  num_latents: z.int().nonnegative().default(0),
  expansion_factor: z.int().positive().default(32),
  activation: z.string().default('topk'),
  transcode: z.boolean().default(false),
  skip_connection: z.boolean().default(false),
});

function describe({ checkpoint, configPath }: FormatFile, given: GivenSettings): FormatDescription {
  const { k: saved, activation, transcode, ...config } = readConfig(configPath!, schema);
  const d = config.d_in;
  const m = config.num_latents === 0 ? d * config.expansion_factor : config.num_latents;
  if (activation !== 'topk')
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: activation ${JSON.stringify(activation.slice(0, 60))} is not supported; ` +
        'expected topk.',
    );
  if (config.skip_connection)
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: a transcoder with a skip connection (W_skip), whose output its latents ` +
        'alone do not give, is not supported.',
    );
  given.refuse('scale', "sparsify's SAEs read raw activations");
  const tensors = new Tensors(checkpoint);
  return {
    form: 'dictionary',
    d,
    m,
    place: { over: 'hook point', named: basename(dirname(resolve(configPath!))), from: 'path' },
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: tensors.vector('encoder.bias', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: !transcode,
    glu: null,
    centered: given.centered(),
    activation: { kind: 'topk', k: given.k({ saved, m, where: 'cfg.json' }) },
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    ...(transcode
      ? {
          obstacle:
            'a transcoder, which reconstructs another site than it reads; only autoencoders are ' +
            'evaluated',
        }
      : {}),
    notes: [],
  };
}

export const sparsify: Format = {
  name: 'sparsify',
  folder: { weights: ['sae.safetensors'], config: 'cfg.json' },
  describe,
};
