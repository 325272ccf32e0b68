/**
 * Crosscoders between models (github.com/ckkissane/crosscoder-model-diff-replication): `cfg.json`
 * and `cc_weights.pt`, one hook point in n models. Their inputs were scaled to an average norm of
 * √d for each model, by factors that were not saved.
 */
import { z } from 'zod';
import { SaeEvalError } from '../../errors.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readConfig } from '../../checkpoint/json-file.js';
import {
  ask,
  scaleOf,
  Tensors,
  type CrosscoderDescription,
  type GivenSettings,
  type Normalization,
} from '../description.js';

const schema = z.looseObject({
  dict_size: z.int().positive(),
  d_in: z.int().positive(),
  hook_point: z.string().optional(),
});

function normalizationsOf(
  { scale, ...given }: GivenSettings,
  n: number,
  file: string,
): Normalization[] {
  if (Array.isArray(scale)) {
    if (scale.length === n) return scale.map((one) => scaleOf(one as number, file));
    throw new SaeEvalError(
      'sae-option',
      `${file}: expected ${n} numbers for \`scale\`, one for each model, found ${scale.length}.`,
      { fields: [{ path: 'scale', message: `expected ${n} numbers` }] },
    );
  }
  if (scale !== undefined) return Array.from({ length: n }, () => scaleOf(scale as number, file));
  ask(
    given,
    'scale',
    file,
    "the factor by which each model's activations were scaled was not saved (√d / the mean " +
      `of their norms). Give them in the request (\`scale\`: a list of ${n} numbers, one for ` +
      'each model).',
  );
  return Array.from({ length: n }, () => ({ kind: 'none' }));
}

/** @throws SaeEvalError `checkpoint-*`, `sae-option`. */
export function describeCrosscoder(
  configPath: string,
  checkpoint: Checkpoint,
  given: GivenSettings,
): CrosscoderDescription {
  const { dict_size: m, d_in: d } = readConfig(configPath, schema);
  const tensors = new Tensors(checkpoint);
  const shape = tensors.shape('W_enc');
  const n = shape[0] ?? 0;
  if (shape.length !== 3 || n === 0)
    throw new SaeEvalError(
      'checkpoint-shape',
      `${checkpoint.path}: expected 'W_enc' of shape [n, ${d}, ${m}] for n models, found ` +
        `[${shape.join(', ')}].`,
    );
  return {
    form: 'crosscoder',
    source: 'crosscoder',
    checkpoint,
    configPath,
    d,
    m,
    sites: n,
    hookPoints: null,
    encoder: tensors.vector('W_enc', [n, d, m]),
    decoder: { tensor: tensors.vector('W_dec', [m, n, d]), order: 'latents first' },
    encoderBias: tensors.vector('b_enc', [m]),
    decoderBias: tensors.vector('b_dec', [n, d]),
    activation: { kind: 'relu' },
    decoderNorm: 'none',
    normalizations: normalizationsOf(given, n, configPath),
    notes: [],
  };
}
