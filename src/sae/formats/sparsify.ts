/**
 * sparsify (github.com/EleutherAI/sparsify): `<hookpoint>/cfg.json` and `sae.safetensors`; k
 * largest of ReLU.
 */
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readConfig } from '../../checkpoint/json-file.js';
import {
  needK,
  refuseScale,
  Tensors,
  type GivenSettings,
  type SaeDescription,
} from '../description.js';

const schema = z.looseObject({
  d_in: z.int().positive(),
  k: z.int().positive(),
  num_latents: z.int().nonnegative().default(0),
  expansion_factor: z.int().positive().default(32),
  activation: z.string().default('topk'),
  transcode: z.boolean().default(false),
  skip_connection: z.boolean().default(false),
});

/** @throws SaeEvalError `checkpoint-*`, `sae-kind`, `sae-option`. */
export function describeSparsify(
  configPath: string,
  checkpoint: Checkpoint,
  given: GivenSettings,
): SaeDescription {
  const config = readConfig(configPath, schema);
  const d = config.d_in;
  const m = config.num_latents === 0 ? d * config.expansion_factor : config.num_latents;
  if (config.activation !== 'topk')
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: activation ${JSON.stringify(config.activation.slice(0, 60))} is not ` +
        'supported; expected topk.',
    );
  if (config.skip_connection)
    throw new SaeEvalError(
      'sae-kind',
      `${configPath}: a transcoder with a skip connection (W_skip), whose output its ` +
        'latents alone do not give, is not supported.',
    );
  refuseScale(given, configPath, "sparsify's SAEs read raw activations");
  const tensors = new Tensors(checkpoint);
  return {
    form: 'sae',
    source: 'sparsify',
    checkpoint,
    configPath,
    d,
    m,
    encoder: tensors.weight('encoder.weight', [m, d], 'transposed'),
    decoder: tensors.weight('W_dec', [m, d], 'as stored'),
    encoderBias: tensors.vector('encoder.bias', [m]),
    decoderBias: tensors.vector('b_dec', [d]),
    subtractDecoderBias: !config.transcode,
    glu: null,
    centred: given.centred === true,
    activation: { kind: 'topk', k: needK(given, config.k, m, configPath, 'its cfg.json') },
    decoderNorm: 'none',
    normalization: { kind: 'none' },
    hookPoint: basename(dirname(resolve(configPath))),
    hookPointFrom: 'path',
    ...(config.transcode
      ? {
          obstacle:
            'a transcoder, which reconstructs another site than it reads; only ' +
            'autoencoders are evaluated',
        }
      : {}),
    notes: [],
  };
}
